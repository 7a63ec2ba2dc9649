import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogFields, silentLogger, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { type Instance, UP } from './instance.ts';
import { createServiceWatches } from './service-watches.ts';

const instance = (id: string, weight = 1): Instance => ({
  ...{ id, service: 's', address: '127.0.0.1', port: 80, protocol: 'http', version: '', zone: '' },
  ...{ weight, tags: [], meta: {}, incarnation: '' },
  ...UP,
});

const { settle } = virtualRuntime();

test('a set that comes and goes before anybody was told leaves the one before', async () => {
  const watches = createServiceWatches({ log: silentLogger });
  const told: string[][] = [];
  watches.add('s', (set) => told.push(set.map(({ id }) => id)));
  watches.tell('s', [instance('a')]);
  await settle();
  watches.tell('s', [instance('b')]);
  watches.tell('s', [instance('a')]);
  await settle();
  assert.deepEqual(told, [['a']]);
});

test('a listener runs in a later turn, and one that throws is logged and harms no other', async () => {
  const errors: (LogFields | undefined)[] = [];
  const watches = createServiceWatches({
    log: { ...silentLogger, error: (_message, fields) => void errors.push(fields) },
  });
  let told = 0;
  watches.add('s', () => {
    throw new Error('broken');
  });
  watches.add('s', () => told++);
  watches.tell('s', []);
  assert.equal(told, 0);
  await settle();
  assert.equal(told, 1);
  assert.equal(errors.length, 1);
});

test('a service is asked for while somebody watches it, once for all', () => {
  const events: string[] = [];
  const watches = createServiceWatches({
    log: silentLogger,
    begin: (service) => void events.push(`begin ${service}`),
    end: (service) => void events.push(`end ${service}`),
  });
  const [one, two] = [watches.add('s', () => {}), watches.add('s', () => {})];
  one.close();
  one.close();
  assert.deepEqual(events, ['begin s']);
  two.close();
  const again = watches.add('s', () => {});
  watches.close();
  again.close();
  assert.deepEqual(events, ['begin s', 'end s', 'begin s', 'end s']);
  watches.add('s', () => {}).close();
  assert.equal(events.length, 4);
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('tell'), ids: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')), weight: fc.nat(1) }),
  fc.record({ kind: fc.constantFrom('add', 'close', 'settle') }),
);

test('I1 and I2: nobody is told the same twice in a row or anything after the end, and all have the last set', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step), async (steps) => {
      const watches = createServiceWatches({ log: silentLogger });
      const listeners: { told: (readonly Instance[])[]; closed: boolean; close(): void }[] = [];
      let last: readonly Instance[] | undefined;
      const add = () => {
        const one = { told: [] as (readonly Instance[])[], closed: false, close: () => {} };
        const watch = watches.add('s', (set) => {
          assert.equal(one.closed, false);
          assert.notDeepEqual(set, one.told.at(-1));
          one.told.push(set);
        });
        one.close = () => {
          one.closed = true;
          watch.close();
        };
        listeners.push(one);
      };
      // One stays for the whole time, so that what was told is not forgotten.
      add();
      for (const one of steps) {
        if (one.kind === 'add') add();
        else if (one.kind === 'close') (listeners.length > 1 ? listeners.pop() : undefined)?.close();
        else if (one.kind === 'settle') await settle();
        else if ('ids' in one) {
          last = one.ids.map((id) => instance(id, one.weight)).sort((a, b) => (a.id < b.id ? -1 : 1));
          watches.tell('s', last.toReversed());
        }
      }
      await settle();
      for (const { told } of listeners) assert.deepEqual(told.at(-1), last);
    }),
  );
});
