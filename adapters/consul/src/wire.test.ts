import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instance, Registration } from '@souk/discovery';
import fc from 'fast-check';
import { checkIdOf, type Misread, readHolder, readInstances, toBody } from './wire.ts';

const times = { ttlMs: 15_000, deregisterAfterMs: 60_000 };
const key = fc.stringMatching(/^[a-z][\w-]{0,20}$/).filter((text) => !text.startsWith('souk-'));

const registrations: fc.Arbitrary<Registration> = fc.record({
  id: fc.stringMatching(/^[a-z][\w.:-]{0,20}$/),
  service: fc.stringMatching(/^[a-z][\w-]{0,20}$/),
  address: fc.constantFrom('10.0.0.1', 'orders.internal', '::1'),
  port: fc.integer({ min: 1, max: 65_535 }),
  protocol: fc.constantFrom('http', 'https'),
  version: fc.string(),
  zone: fc.string(),
  weight: fc.integer({ min: 0, max: 65_535 }),
  tags: fc.array(fc.string({ minLength: 1 })),
  meta: fc.dictionary(key, fc.string(), { noNullPrototype: true }),
  incarnation: fc.string(),
});

const conditionSets = fc
  .record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() })
  .filter(({ ready, terminating }) => !(ready && terminating));

/** What Consul answers about a service that was registered with this body. */
const entryOf = (body: object, checks: readonly object[], more: object = {}) => {
  const { Name, Check: _, ...service } = body as { Name: string; Check: unknown };
  return { Node: { Address: '10.9.9.9' }, Service: { ...service, Service: Name, ...more }, Checks: checks };
};

const one = (entry: object): Instance => {
  const found = readInstances(JSON.stringify([entry]));
  assert.ok(Array.isArray(found), JSON.stringify(found));
  return found[0];
};

test('what is registered is read as it was', () => {
  fc.assert(
    fc.property(registrations, conditionSets, (registration, conditions) => {
      const body = toBody(registration, conditions, true, times);
      const checks = [{ CheckID: checkIdOf(registration), Status: 'passing' }];
      assert.deepEqual({ ...one(entryOf(body, checks)) }, { ...registration, ...conditions });
    }),
  );
});

test('any answer at all is read or refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const found = readInstances(text);
      assert.ok(Array.isArray(found) || typeof (found as Misread).problem === 'string');
      readHolder(text);
    }),
  );
  const anyEntry = fc.record(
    {
      Node: fc.oneof(fc.jsonValue(), fc.record({ Address: fc.jsonValue() })),
      Service: fc.dictionary(
        fc.constantFrom('ID', 'Service', 'Address', 'Port', 'Tags', 'Meta', 'Weights', 'CreateIndex'),
        fc.oneof(fc.string(), fc.nat(), fc.jsonValue()),
      ),
      Checks: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(anyEntry), (entries) => {
      const found = readInstances(JSON.stringify(entries));
      if (!Array.isArray(found)) return;
      for (const instance of found) assert.ok(instance.port !== 0 && instance.address !== '');
    }),
  );
});

const foreign = { ID: 'web-1', Service: 'web', Address: '', Port: 80, Tags: null, Meta: null };

test('services of strangers are seen by their checks, at the address of their node', () => {
  const seen = (...statuses: string[]) =>
    one({
      Node: { Address: '10.9.9.9' },
      Service: { ...foreign, Weights: { Passing: 10, Warning: 3 } },
      Checks: statuses.map((Status, at) => ({ CheckID: `c${at}`, Status })),
    });
  const { address, ready, serving, weight } = seen('passing');
  assert.deepEqual([address, ready, serving, weight], ['10.9.9.9', true, true, 10]);
  assert.deepEqual([seen('passing', 'warning').ready, seen('passing', 'warning').weight], [true, 3]);
  assert.deepEqual([seen('warning', 'critical').ready, seen('critical').serving], [false, false]);
  assert.equal(seen().ready, true);
});

test('services without a port are left out', () => {
  assert.deepEqual(readInstances(JSON.stringify([{ Service: { ...foreign, Port: 0 } }])), []);
});

test('of an id on two nodes the living one is shown, of two such the later run, of the same run the newest', () => {
  const entry = (incarnation: string, status: string, createIndex: number) => ({
    Node: { Address: `10.0.0.${createIndex}` },
    Service: { ...foreign, Meta: { 'souk-incarnation': incarnation }, CreateIndex: createIndex },
    Checks: [{ CheckID: 'c', Status: status }],
  });
  const shown = (...entries: object[]) => {
    const found = readInstances(JSON.stringify(entries)) as Instance[];
    assert.equal(found.length, 1);
    return found[0]?.address;
  };
  const [old, young, dead] = [entry('1', 'passing', 1), entry('2', 'passing', 2), entry('3', 'critical', 3)];
  for (const order of [
    [old, young, dead],
    [dead, young, old],
    [young, dead, old],
  ]) {
    assert.equal(shown(...order), '10.0.0.2');
  }
  assert.equal(shown(entry('1', 'passing', 5), old), '10.0.0.5');
});
