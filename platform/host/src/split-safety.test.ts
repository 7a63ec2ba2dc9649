import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { isSoukError } from '@souk/kernel';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import { CounterService } from '../../../tests/support/corner/contract.ts';
import type { AnyService } from './any-service.ts';
import { checkSplitSafety, type SplitSafetyInit, splitProblems } from './split-safety.ts';

/** What is not said about a service is of no matter. */
const declared = (name: string, more: Partial<AnyService> = {}): AnyService => ({
  ...defineService({ name, serves: [], start: () => ({}) }),
  ...more,
});
const hear = () => on(TimestampSchema, () => async () => {});
const said = (init: SplitSafetyInit) => splitProblems(init).map(({ reason, message }) => `${reason}: ${message}`);

const one = declared('one', {
  serves: [CounterService],
  publishes: [TimestampSchema],
  settings: { ttl: Object.freeze({ kind: 'duration' }) } as unknown as AnyService['settings'],
});
const two = declared('two', { calls: { corner: CounterService }, consumes: [hear()] });
const settings = {
  one: { ttl: 5, name: 'a', tags: ['x'], at: new Date(0), key: new Uint8Array(3), map: new Map([['a', { b: 1n }]]) },
  two: Object.freeze({ ttl: 5, none: undefined, deep: { list: [{ ok: true }] } }),
};

test('services that fit together, with settings of plain data, are fine', () => {
  assert.deepEqual(said({ services: [one, two], settings, system: [one, two] }), []);
  checkSplitSafety({ services: [one, two], settings, system: [one, two] });
});

test('a callee and an event of another process are there when the system has them, and not known of without it', () => {
  assert.deepEqual(said({ services: [two], system: [one, two] }), []);
  assert.deepEqual(said({ services: [two] }), []);
  assert.deepEqual(said({ services: [two], system: [two] }), [
    `HOST_CALLEE_MISSING: service two calls ${CounterService.typeName}, which nothing here serves: add the service that serves it`,
    'HOST_EVENT_UNTOLD: service two hears google.protobuf.Timestamp, which no service publishes: add it to `publishes` of the one that does, or take it out of `consumes`',
  ]);
});

test('an event that the programs around the services publish is told', () => {
  const hearing = declared('hearing', { consumes: [on(DurationSchema, () => async () => {})] });
  assert.match(said({ services: [hearing], system: [hearing] }).join(), /HOST_EVENT_UNTOLD/);
  assert.deepEqual(said({ services: [hearing], system: [hearing], publishes: [DurationSchema] }), []);
});

test('two services of one name, and two that serve one contract, are told of', () => {
  assert.deepEqual(said({ services: [declared('a'), declared('a'), declared('a')] }), [
    'HOST_SERVICE_TWICE: service a is declared twice',
  ]);
  const other = declared('other', { serves: [CounterService] });
  assert.match(
    said({ services: [one], system: [one, other] }).join(),
    /^HOST_CONTRACT_TWICE: services other and one both serve \S+CounterService/,
  );
});

test('a setting that is no data is named with what it is, and never with its value', () => {
  class Pool {
    readonly password = 'hush-hush';
  }
  const strange: readonly (readonly [value: unknown, what: string])[] = [
    [() => 'hush-hush', 'setting one.x is a function'],
    [{ a: [{ f: () => 1 }] }, 'setting one.x.a[0].f is a function'],
    [new Pool(), 'setting one.x is an object of class Pool'],
    [new URL('http://hush-hush'), 'setting one.x is an object of class URL'],
    [new (class {})(), 'setting one.x is an object of class without a name'],
    [Promise.resolve('hush-hush'), 'setting one.x is a promise'],
    [Symbol('hush'), 'setting one.x is a symbol'],
    [new WeakMap(), 'setting one.x is an object of class WeakMap'],
    [new Uint8Array(new SharedArrayBuffer(4)), 'setting one.x is memory shared by threads'],
    [new Map([['k', () => 1]]), 'setting one.x<1> is a function'],
    [
      {
        get y() {
          return assert.fail('a getter is not called');
        },
      },
      'setting one.x.y is computed by a getter',
    ],
  ];
  for (const [x, what] of strange) {
    const [problem, ...more] = said({ services: [one], settings: { one: { x } } });
    assert.deepEqual(more, []);
    assert.ok(`${problem}`.startsWith(`HOST_SETTING_NOT_DATA: ${what}`), `${problem}`);
    assert.doesNotMatch(`${problem}`, /hush/);
  }
});

test('data that holds itself is data', () => {
  const round: Record<string, unknown> = { a: 1 };
  round.self = round;
  assert.deepEqual(said({ services: [one], settings: { one: round } }), []);
});

test('an object that two services hold is found however deep it is, with both places', () => {
  const cache = { hits: 0 };
  assert.deepEqual(said({ services: [one, two], settings: { one: { a: { cache } }, two: { list: [cache] } } }), [
    'HOST_SHARED_OBJECT: settings one.a.cache and settings two.list[0] are one object that can be changed, and in processes of their own they would be two: freeze it, or give each service its own',
  ]);
  const subscription = { ...hear(), cache };
  const projection = { cache } as unknown as AnyService['projections'][number];
  const services = [declared('a', { consumes: [subscription] }), declared('b', { projections: [projection] })];
  assert.match(
    said({ services }).join(),
    /^HOST_SHARED_OBJECT: service a: consumes\[0\]\.cache and service b: projections\[0\]\.cache are one object/,
  );
});

test('each kind of object that can be changed is found', () => {
  class Counter {}
  for (const held of [
    {},
    [],
    new Map(),
    new Set(),
    new Date(0),
    new Uint8Array(1),
    new Counter(),
    Object.freeze(new Counter()),
    Object.freeze(new Map()),
    /x/g,
  ]) {
    const withIt = (name: string) => declared(name, { parts: Object.assign(() => ({}), { held }) });
    assert.match(
      said({ services: [withIt('a'), withIt('b')] }).join(),
      /HOST_SHARED_OBJECT: service a: parts\.held and service b: parts\.held/,
      String(held),
    );
  }
});

test('what cannot be changed may be shared, but not what it holds', () => {
  const make = () => ({});
  const frozen = Object.freeze({ list: Object.freeze([1, 2]), schema: TimestampSchema, make, pattern: /x/ });
  const both = (held: unknown) =>
    said({ services: [one, two].map((service) => ({ ...service, parts: Object.assign(() => ({}), { held }) })) });
  assert.deepEqual(both(frozen), []);
  assert.match(
    both(Object.freeze({ inside: { n: 1 } })).join(),
    /parts\.held\.inside and service two: parts\.held\.inside/,
  );
});

test('functions, contracts and migrations may be shared', () => {
  function start() {
    return {};
  }
  const migrations = [{ id: 'x/1', sql: 'create table x ()' }];
  const services = ['a', 'b'].map((name) =>
    declared(name, { start, parts: start, migrations, calls: { corner: CounterService } }),
  );
  assert.deepEqual(said({ services }), []);
});

test('one service may hold one object twice', () => {
  const held = { n: 1 };
  assert.deepEqual(said({ services: [one, two], settings: { one: { a: held, b: held } } }), []);
});

test('one problem is thrown as it is, several together, and many are cut short', () => {
  const thrown = (count: number) => {
    const services = [one];
    const x = Object.fromEntries(Array.from({ length: count }, (_, at) => [`f${at}`, () => at]));
    try {
      checkSplitSafety({ services, settings: { one: x } });
      return assert.fail('nothing is thrown');
    } catch (error) {
      assert.ok(isSoukError(error));
      assert.equal(error.code, 'failed_precondition');
      return `${error.reason}: ${error.message}`;
    }
  };
  assert.match(thrown(1), /^HOST_SETTING_NOT_DATA: setting one\.f0 is a function/);
  assert.match(
    thrown(2),
    /^HOST_SPLIT_UNSAFE: 2 things would break .*: \(1\) setting one\.f0 .*; \(2\) setting one\.f1 /,
  );
  assert.match(thrown(13), /^HOST_SPLIT_UNSAFE: 13 things .*\(10\) .*; and 3 more$/);
});
