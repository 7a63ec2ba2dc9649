import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import fc from 'fast-check';
import { DRAINING, type Instance, UP } from './instance.ts';
import { MassExpiryGuard, type MassExpiryOptions, toMassExpirySettings } from './mass-expiry-guard.ts';

const instance = (id: string, conditions = UP): Instance => ({
  id,
  service: 's',
  address: '127.0.0.1',
  port: 80,
  protocol: 'http',
  version: '',
  zone: '',
  weight: 1,
  tags: [],
  meta: {},
  incarnation: '',
  ...conditions,
});

const many = (count: number, prefix = 'i'): Instance[] =>
  Array.from({ length: count }, (_, at) => instance(`${prefix}-${at}`));

function scene(options: MassExpiryOptions = {}) {
  const runtime = virtualRuntime();
  let trips = 0;
  const guard = new MassExpiryGuard(toMassExpirySettings(options), runtime.clock, silentLogger, () => trips++);
  return {
    guard,
    pass: async (ms: number) => {
      await runtime.advance(ms);
      guard.expire();
    },
    shown: (service = 's') => guard.shown(service).map(({ id }) => id),
    trips: () => trips,
  };
}

test('when all of ten vanish at once they are kept for a minute, and it is counted once', async () => {
  const { guard, pass, shown, trips } = scene();
  guard.say('s', many(10), undefined);
  guard.say('s', [], undefined);
  assert.equal(shown().length, 10);
  assert.equal(guard.kept(), 10);
  guard.say('s', [], undefined);
  await pass(59_999);
  assert.equal(shown().length, 10);
  await pass(1);
  assert.deepEqual(shown(), []);
  assert.equal(guard.onForMs, undefined);
  assert.equal(trips(), 1);
});

test('vanishing is added up over services, though each is told of by itself', async () => {
  const { guard, pass, shown, trips } = scene();
  const services = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const service of services) guard.say(service, many(1, service), undefined);
  for (const service of services) {
    guard.say(service, [], undefined);
    await pass(100);
  }
  assert.equal(trips(), 1);
  for (const service of services) assert.equal(shown(service).length, 1);
});

test('a single one that vanishes is gone after a second, also when later all vanish', async () => {
  const { guard, pass, shown, trips } = scene();
  guard.say('s', many(10), undefined);
  guard.say('s', many(9), undefined);
  assert.equal(shown().length, 10);
  await pass(1000);
  assert.equal(shown().length, 9);
  guard.say('s', [], undefined);
  assert.equal(shown().length, 9);
  assert.equal(trips(), 1);
});

test('85 of 100 may vanish, 86 may not', async () => {
  for (const [left, trip] of [
    [15, 0],
    [14, 1],
  ] as const) {
    const { guard, pass, shown, trips } = scene();
    guard.say('s', many(100), undefined);
    guard.say('s', many(left), undefined);
    await pass(1000);
    assert.equal(trips(), trip);
    assert.equal(shown().length, trip ? 100 : left);
  }
});

test('of four, all may vanish, and they do at once', () => {
  const { guard, shown, trips } = scene();
  guard.say('s', many(4), undefined);
  guard.say('s', [], undefined);
  assert.deepEqual(shown(), []);
  assert.equal(trips(), 0);
});

test('I1 instances that said good-bye are never held', () => {
  const { guard, shown, trips } = scene();
  const draining = many(10).map(({ id }) => instance(id, DRAINING));
  guard.say('s', many(10), undefined);
  guard.say('s', draining, undefined);
  guard.say('s', [], undefined);
  assert.deepEqual(shown(), []);
  assert.equal(trips(), 0);
});

test('when 85 % are shown again the guard goes off, and the rest is gone', () => {
  const { guard, shown } = scene();
  guard.say('s', many(20), undefined);
  guard.say('s', [], undefined);
  guard.say('s', many(16), undefined);
  assert.equal(shown().length, 20);
  guard.say('s', many(17), undefined);
  assert.equal(guard.onForMs, undefined);
  assert.equal(shown().length, 17);
});

test('what is said again while it is kept is shown as it is said', () => {
  const { guard, shown } = scene();
  guard.say('s', many(10), undefined);
  guard.say('s', [], undefined);
  guard.say('s', [{ ...instance('i-3'), port: 81 }], undefined);
  assert.equal(guard.shown('s').find(({ id }) => id === 'i-3')?.port, 81);
  assert.equal(shown().length, 10);
});

test('after an outage of the registry nothing is taken out for 20 s, however few there are', async () => {
  const { guard, pass, shown, trips } = scene();
  guard.say('s', many(2), undefined);
  guard.say('s', [], 3000);
  await pass(16_999);
  assert.equal(shown().length, 2);
  await pass(1);
  assert.deepEqual(shown(), []);
  assert.equal(trips(), 0);
});

test('a share of 1 switches it off', async () => {
  const { guard, pass, shown, trips } = scene({ share: 1 });
  guard.say('s', many(10), undefined);
  guard.say('s', [], undefined);
  await pass(1000);
  assert.deepEqual(shown(), []);
  assert.equal(trips(), 0);
});

test('settings that make no sense are refused', () => {
  assert.throws(() => toMassExpirySettings({ keepMs: Number.NaN }), { reason: 'DISCOVERY_INVALID_OPTION' });
  assert.throws(() => toMassExpirySettings({ atLeast: 0 }), { reason: 'DISCOVERY_INVALID_OPTION' });
});

const step = fc.record({
  service: fc.constantFrom('a', 'b', 'c'),
  ids: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 10 }),
  draining: fc.boolean(),
  waitMs: fc.constantFrom(0, 0, 200, 1000, 30_000),
  backForMs: fc.constantFrom(undefined, undefined, 0, 19_000),
});

test('I2 and I3: what is said is shown, and nothing is held for longer than a minute and a bit', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { guard, pass, shown } = scene();
      const said = new Map<string, readonly Instance[]>();
      for (const { service, ids, draining, waitMs, backForMs } of steps) {
        const instances = ids.map((id) => instance(`${service}-${id}`, draining ? DRAINING : UP));
        said.set(service, instances);
        guard.say(service, instances, backForMs);
        for (const [name, set] of said) {
          const found = new Map(guard.shown(name).map((one) => [one.id, one]));
          for (const one of set) assert.equal(found.get(one.id), one);
        }
        await pass(waitMs);
      }
      await pass(60_000);
      for (const [name, set] of said) assert.deepEqual(shown(name), set.map(({ id }) => id).sort());
      assert.equal(guard.nextMs, undefined);
    }),
    { numRuns: 200 },
  );
});
