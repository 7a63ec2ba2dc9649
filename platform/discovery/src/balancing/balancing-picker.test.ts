import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentTelemetry } from '@souk/telemetry';
import fc from 'fast-check';
import { BARE, bench, failOn, instance, instances } from '../../test/balancing-fixture.ts';
import type { Picked } from '../picker.ts';
import { ALGORITHMS } from './settings.ts';

const CONDITIONS = {
  up: { ready: true, serving: true, terminating: false },
  down: { ready: false, serving: false, terminating: false },
  maintenance: { ready: false, serving: true, terminating: false },
  draining: { ready: false, serving: true, terminating: true },
  terminated: { ready: false, serving: false, terminating: true },
} as const;
type Condition = keyof typeof CONDITIONS;

const OUTCOMES = ['ok', 'error', 'unreachable', 'canceled'] as const;

test('P1 without panic nobody is picked who is not ready, but for keys that stick; P2 what is in flight returns to zero', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('pick' as const), key: fc.option(fc.nat(20)), avoid: fc.nat(7) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('done' as const), nth: fc.nat(), kind: fc.constantFrom(...OUTCOMES) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('tell' as const),
        states: fc.array(fc.constantFrom(...(Object.keys(CONDITIONS) as Condition[])), { minLength: 1, maxLength: 7 }),
        incarnation: fc.constantFrom('first', 'second'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(40_000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('change' as const), algorithm: fc.constantFrom(...ALGORITHMS) }),
    },
  );
  fc.assert(
    fc.property(fc.constantFrom(...ALGORITHMS), fc.array(step, { maxLength: 120 }), (first, steps) => {
      let algorithm = first;
      const on = bench({ algorithm, panicPercent: 0, maxInFlight: 5 }, instances(4));
      let states: Condition[] = ['up', 'up', 'up', 'up'];
      const open: Picked[] = [];
      const stateOf = (id: string) => states[Number(id.slice(-2))];
      for (const one of steps) {
        if (one.do === 'pick') {
          const request = {
            key: one.key === null ? undefined : `k${one.key}`,
            avoid: new Set([`orders-0${one.avoid}`]),
          };
          const picked = on.picker.pick(request);
          if (picked === undefined) continue;
          open.push(picked);
          const state = stateOf(picked.instance.id);
          const sticks = request.key !== undefined && ['rendezvous', 'ringHash', 'maglev'].includes(algorithm);
          assert.ok(
            state === 'up' || (sticks && (state === 'draining' || state === 'maintenance')),
            `${state} was picked`,
          );
        } else if (one.do === 'done') {
          const [picked] = open.splice(one.nth % Math.max(1, open.length), 1);
          picked?.done({ kind: one.kind });
          picked?.done({ kind: one.kind });
        } else if (one.do === 'tell') {
          states = one.states;
          const { incarnation } = one;
          on.tell(instances(states.length, (n) => ({ ...CONDITIONS[states[n] as Condition], incarnation })));
        } else if (one.do === 'pass') on.runtime.pass(one.ms);
        else {
          algorithm = one.algorithm;
          on.change({ algorithm, panicPercent: 0, maxInFlight: 5 });
        }
        const inFlight = on.picker.describe().instances.map((view) => view.inFlight);
        assert.ok(
          inFlight.every((count) => count >= 0 && count <= 5),
          `${inFlight}`,
        );
      }
      for (const picked of open) picked.done({ kind: 'ok' });
      assert.ok(on.picker.describe().instances.every((view) => view.inFlight === 0));
    }),
    { numRuns: 150 },
  );
});

test('P2 done called twice counts once', () => {
  const on = bench(BARE, [instance('a')]);
  const [one, two] = [on.picker.pick({}), on.picker.pick({})];
  one?.done({ kind: 'error' });
  one?.done({ kind: 'error' });
  const [view] = on.picker.describe().instances;
  assert.equal(view?.inFlight, 1);
  assert.equal(view?.errors, 1);
  two?.done({ kind: 'ok' });
  assert.equal(on.picker.describe().instances[0]?.inFlight, 0);
});

test('P3 calls on an incarnation that is gone do not touch the next one', () => {
  const on = bench(BARE, [instance('a')]);
  const old = on.picker.pick({});
  on.tell([instance('a', { incarnation: 'second' })]);
  const now = on.picker.pick({});
  old?.done({ kind: 'error' });
  const [view] = on.picker.describe().instances;
  assert.equal(view?.inFlight, 1);
  assert.equal(view?.errors, 0);
  now?.done({ kind: 'ok' });
});

test('panic: when less than half is healthy all are asked, and no longer when half is', () => {
  const on = bench(BARE_PANIC, instances(4));
  on.call();
  on.tell(instances(4, (n) => (n < 3 ? CONDITIONS.down : {})));
  assert.equal(on.picker.describe().panic, true);
  assert.equal(on.calls(200).size, 4);
  on.tell(instances(4, (n) => (n < 2 ? CONDITIONS.down : {})));
  assert.equal(on.picker.describe().panic, false);
  assert.deepEqual([...on.calls(200).keys()].sort(), ['orders-02', 'orders-03']);
});
const BARE_PANIC = { ...BARE, panicPercent: 50 };

test('panic: who starts, is in maintenance or drains is neither asked nor counted', () => {
  const on = bench(
    BARE_PANIC,
    instances(5, (n) => [{}, CONDITIONS.down, CONDITIONS.down, CONDITIONS.maintenance, CONDITIONS.draining][n] ?? {}),
  );
  assert.deepEqual([...on.calls(100).keys()], ['orders-00']);
  assert.equal(on.picker.describe().panic, false);
});

test('panic: who drains is the last resort, and who has ended is none', () => {
  const on = bench(BARE_PANIC, [instance('a', CONDITIONS.draining), instance('b', CONDITIONS.terminated)]);
  assert.deepEqual([...on.calls(50).keys()], ['a']);
  on.tell([instance('b', CONDITIONS.terminated)]);
  assert.equal(on.call(), undefined);
  assert.equal(on.picker.explain(), '1 registered, of which 1: terminated');
  on.tell([]);
  assert.equal(on.picker.explain(), 'none is registered');
});

test('an instance that was tried is avoided while there are others, with every algorithm', () => {
  for (const algorithm of ALGORITHMS) {
    const on = bench({ ...BARE, algorithm }, instances(15));
    const all = instances(15).map(({ id }) => id);
    for (let n = 0; n < 15; n++) {
      const avoid = new Set(all.filter((_, other) => other !== n));
      for (let i = 0; i < 5; i++) assert.equal(on.call({ avoid, key: `k${i}` }), all[n], algorithm);
    }
    assert.notEqual(on.call({ avoid: new Set(all) }), undefined, algorithm);
  }
});

test('an instance in another zone or of the stable version is better than one that was tried', () => {
  const zones = bench(
    { ...BARE, zone: { minInstances: 2 } },
    [instance('near', { zone: 'a' }), instance('far', { zone: 'b' })],
    { self: { zone: 'a', id: 'gateway-0' } },
  );
  assert.deepEqual([...zones.calls(50).keys()], ['near']);
  assert.equal(zones.call({ avoid: new Set(['near']) }), 'far');
  const split = bench({ ...BARE, split: { stable: '1', canaries: [{ version: '2', percent: 100 }] } }, [
    instance('old'),
    instance('new', { version: '2' }),
  ]);
  assert.deepEqual([...split.calls(50).keys()], ['new']);
  assert.equal(split.call({ avoid: new Set(['new']) }), 'old');
});

test('no more calls than the limit are in flight on an instance, with every algorithm', () => {
  for (const algorithm of ALGORITHMS) {
    const on = bench({ ...BARE, algorithm, maxInFlight: 3 }, instances(12));
    const open = Array.from({ length: 36 }, (_, n) => on.picker.pick({ key: `k${n % 3}` }));
    assert.ok(
      open.every((picked) => picked !== undefined),
      algorithm,
    );
    assert.equal(on.picker.pick({}), undefined);
    assert.match(on.picker.explain(), /12: it has 3 calls in flight, the most there may be/);
    open[0]?.done({ kind: 'ok' });
    assert.equal(on.picker.pick({})?.instance.id, open[0]?.instance.id);
  }
});

test('slow start: the share of a new instance grows, for every instant and setting', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120_000 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.double({ min: 0.1, max: 5, noNaN: true }),
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 10 }),
      (windowMs, minShare, aggression, steps) => {
        const on = bench({ slowStart: { windowMs, minShare, aggression } }, [instance('a', { weight: 10 })]);
        on.tell([instance('a', { weight: 10 }), instance('b', { weight: 10 })]);
        const weight = () => on.picker.describe().instances[1]?.weightNow as number;
        let last = weight();
        assert.ok(last >= 10 * minShare - 1e-9);
        for (const ms of steps) {
          on.runtime.pass(ms);
          const now = weight();
          assert.ok(now >= last && now <= 10, `${now} after ${last}`);
          last = now;
        }
        on.runtime.pass(windowMs);
        assert.equal(weight(), 10);
      },
    ),
  );
});

test('slow start: a new instance has a tenth of its share at first and all of it after 30 s, with every algorithm by weight', () => {
  for (const algorithm of ['leastRequest', 'random', 'roundRobin', 'smoothWeighted', 'rendezvous']) {
    const on = bench({ algorithm, outlier: { enabled: false } }, instances(3));
    on.call();
    on.tell(instances(4));
    const share = () => (on.calls(3100).get('orders-03') ?? 0) / 3100;
    const early = share();
    assert.ok(Math.abs(early - 0.1 / 3.1) < 0.015, `${algorithm}: ${early}`);
    on.runtime.pass(15_000);
    const half = share();
    assert.ok(Math.abs(half - 0.5 / 3.5) < 0.03, `${algorithm}: ${half}`);
    on.runtime.pass(20_000);
    const whole = share();
    assert.ok(Math.abs(whole - 0.25) < 0.03, `${algorithm}: ${whole}`);
  }
});

test('slow start: not for those who were there at first, but for a new incarnation and for who is well again', () => {
  const on = bench({}, instances(3));
  const slow = () => on.picker.describe().instances.map(({ state }) => state === 'slow start');
  assert.deepEqual(slow(), [false, false, false]);
  on.tell(instances(3, (n) => (n === 1 ? { incarnation: 'second' } : n === 2 ? CONDITIONS.down : {})));
  assert.deepEqual(slow(), [false, true, false]);
  on.tell(instances(3, (n) => (n === 1 ? { incarnation: 'second' } : {})));
  assert.deepEqual(slow(), [false, true, true]);
});

test('two instances under one id: the one that has been up stays, whatever their order', () => {
  const on = bench(BARE, [instance('a')]);
  failOn(on, 'a', 3);
  const twins = [instance('a'), instance('a', { incarnation: 'other', port: 9 })];
  for (const list of [twins, [...twins].reverse()]) {
    on.tell(list);
    const [view] = on.picker.describe().instances;
    assert.deepEqual([view?.port, view?.errors], [8080, 3]);
  }
});

test('settings are taken over from one pick to the next, and what is known of instances stays', () => {
  const on = bench({ ...BARE, algorithm: 'random' }, instances(3));
  failOn(on, 'orders-01', 2);
  const held = on.picker.pick({ avoid: new Set(['orders-00', 'orders-02']) });
  on.change({ ...BARE, algorithm: 'rendezvous', maxInFlight: 1 });
  const key = on.call({ key: 'a' });
  assert.equal(on.call({ key: 'a' }), key);
  const view = on.picker.describe();
  assert.equal(view.algorithm, 'rendezvous');
  assert.deepEqual([view.instances[1]?.inFlight, view.instances[1]?.errors], [1, 2]);
  held?.done({ kind: 'ok' });
});

test('a closed picker picks nobody and says so', () => {
  const on = bench({}, instances(2));
  const held = on.picker.pick({});
  on.picker.close();
  assert.equal(on.picker.pick({}), undefined);
  assert.equal(on.picker.explain(), 'the picker is closed');
  on.tell(instances(3));
  held?.done({ kind: 'ok' });
});

test('describe answers for each instance why it is not asked', () => {
  const on = bench(
    {
      algorithm: 'random',
      maxInFlight: 1,
      subset: { metadata: { tier: 'gold' } },
      split: { stable: '1', canaries: [{ version: '2', percent: 10 }] },
      zone: { minInstances: 1 },
      panicPercent: 0,
      outlier: { jitterMs: 0 },
    },
    [
      instance('asked', { meta: { tier: 'gold' }, zone: 'a' }),
      instance('canary', { meta: { tier: 'gold' }, zone: 'a', version: '2' }),
      instance('drains', { meta: { tier: 'gold' }, zone: 'a', ...CONDITIONS.draining }),
      instance('far', { meta: { tier: 'gold' }, zone: 'b' }),
      instance('full', { meta: { tier: 'gold' }, zone: 'a' }),
      instance('iron', { meta: { tier: 'iron' }, zone: 'a' }),
      instance('light', { meta: { tier: 'gold' }, zone: 'a', weight: 0 }),
      instance('old', { meta: { tier: 'gold' }, zone: 'a', version: '0' }),
      instance('starts', { meta: { tier: 'gold' }, zone: 'a', ...CONDITIONS.down }),
      instance('sick', { meta: { tier: 'gold' }, zone: 'a' }),
    ],
    {
      self: {
        zone: 'a',
        id: 'gateway-1',
        callers: () =>
          new Map([
            ['a', 1],
            ['b', 1],
          ]),
      },
    },
  );
  const all = on.picker.describe().instances.map(({ id }) => id);
  const only = (id: string) => ({ avoid: new Set(all.filter((other) => other !== id)) });
  for (let n = 0; n < 5; n++) on.call(only('sick'), 'error');
  const held = on.picker.pick(only('full'));
  const why = Object.fromEntries(on.picker.describe().instances.map(({ id, dropped }) => [id, dropped?.stage]));
  assert.deepEqual(why, {
    asked: undefined,
    canary: undefined,
    drains: 'health',
    far: 'zone',
    full: 'limit',
    iron: 'metadata',
    light: 'weight',
    old: 'split',
    sick: 'ejection',
    starts: 'health',
  });
  const sick = on.picker.describe().instances.find(({ id }) => id === 'sick');
  assert.equal(sick?.dropped?.why, 'ejected for errors, 30 s left');
  assert.equal(on.picker.describe().zones, 'a 100 %, b 0 %');
  held?.done({ kind: 'ok' });
});

test('metrics tell picks, refusals, ejections, fallbacks and panic', () => {
  const { metrics } = silentTelemetry(bench({}, []).runtime);
  const added: string[] = [];
  let collect = (): void => {};
  const spy = {
    ...metrics,
    counter: ({ name }: { name: string }) => ({
      add: (value: number, labels: object) => added.push(`${name} ${Object.values(labels).join(' ')} ${value}`),
    }),
    gauge: ({ name }: { name: string }) => ({
      set: (value: number, labels: object) => added.push(`${name} ${Object.values(labels).join(' ')} ${value}`),
      add: () => {},
    }),
    onCollect: (run: () => void) => {
      collect = run;
    },
  };
  const on = bench({ slowStart: { windowMs: 0 } }, [instance('a')], { metrics: spy as never });
  failOn(on, 'a', 5);
  on.call({ version: '7', avoid: new Set(['a']) });
  collect();
  assert.deepEqual(added, [
    'souk_balancing_ejections_total orders errors 1',
    'souk_balancing_fallbacks_total orders demanded_empty 1',
    'souk_balancing_fallbacks_total orders tried_again 1',
    'souk_balancing_instances orders ejected 1',
    'souk_balancing_panic orders 1',
    'souk_balancing_picks_total orders 6',
    'souk_balancing_refusals_total orders 0',
  ]);
});
