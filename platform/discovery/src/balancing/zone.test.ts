import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BARE, bench, instance, instances } from '../../test/balancing-fixture.ts';
import { planZones } from './zone.ts';

const ZONES = ['a', 'b', 'c'];
const counts = (list: readonly number[]) => new Map(list.map((count, n) => [ZONES[n] as string, count]));

test('min(1, U / O) stays in the zone, and the rest goes where room is left, in proportion', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 })), {
        minLength: 2,
        maxLength: 3,
      }),
      (zones) => {
        const upstreams = counts(zones.map(([count]) => count));
        const callers = counts(zones.map(([, count]) => count));
        const [all, asking] = [upstreams, callers].map((each) =>
          [...each.values()].reduce((sum, one) => sum + one, 0),
        ) as [number, number];
        const loads = new Map<string, number>();
        for (const own of upstreams.keys()) {
          const plan = planZones(own, upstreams, callers, 1);
          if (plan.is === 'off') assert.fail(plan.why);
          const U = (upstreams.get(own) as number) / all;
          const O = (callers.get(own) as number) / asking;
          assert.ok(Math.abs((plan.shares.get(own) as number) - Math.min(1, U / O)) < 1e-9);
          assert.ok(Math.abs([...plan.shares.values()].reduce((sum, one) => sum + one, 0) - 1) < 1e-9);
          for (const [zone, share] of plan.shares) loads.set(zone, (loads.get(zone) ?? 0) + share * O);
        }
        // All callers together load every instance alike: what zones are for, at no cost in evenness.
        for (const [zone, load] of loads) assert.ok(Math.abs(load - (upstreams.get(zone) as number) / all) < 1e-9);
      },
    ),
  );
});

test('zones do not matter when there is nothing to choose, or shares would mislead', () => {
  const why = (own: string, upstreams: readonly number[], callers?: readonly number[], minInstances = 6) => {
    const plan = planZones(own, counts(upstreams), callers && counts(callers), minInstances);
    return plan.is === 'off' ? plan.why : 'on';
  };
  assert.equal(why('', [3, 3]), 'the caller has no zone');
  assert.equal(why('a', [6]), 'all instances are in one zone');
  assert.equal(why('c', [3, 3]), 'no instance is in the zone of the caller');
  assert.equal(why('a', [3, 2]), '5 healthy instances are fewer than 6');
  assert.equal(why('a', [3, 3], [1, 1, 1]), 'callers and instances are not in the same zones');
  assert.equal(why('a', [3, 3], [1]), 'callers and instances are not in the same zones');
  assert.equal(why('a', [3, 3]), 'on');
});

test('calls spill over as planned, and go anywhere when too few are healthy', () => {
  // U = 0.25, O = 0.5: half of the calls stay.
  const list = instances(8, (n) => ({ zone: n < 2 ? 'a' : 'b' }));
  const on = bench({ ...BARE, panicPercent: 60 }, list, { self: { zone: 'a', id: 'gateway-0' } });
  const near = (share: Map<string, number>) => ((share.get('orders-00') ?? 0) + (share.get('orders-01') ?? 0)) / 4000;
  assert.ok(Math.abs(near(on.calls(4000)) - 0.5) < 0.03);
  assert.equal(on.picker.describe().zones, 'a 50 %, b 50 %');
  on.tell(list.map((one, n) => (n >= 4 ? { ...one, ready: false, serving: false } : one)));
  assert.equal(on.picker.describe().zones, 'too few instances are healthy');
  assert.ok(Math.abs(near(on.calls(4000)) - 0.25) < 0.03);
});

test('a key goes to the same instance from every zone', () => {
  const list = instances(8, (n) => ({ zone: n < 4 ? 'a' : 'b' }));
  const from = (zone: string) => bench({ ...BARE, algorithm: 'rendezvous' }, list, { self: { zone, id: 'x-1' } });
  const [a, b] = [from('a'), from('b')];
  for (let n = 0; n < 50; n++) assert.equal(a.call({ key: `k${n}` }), b.call({ key: `k${n}` }));
  assert.equal(a.picker.describe().zones, 'rendezvous goes by the key');
});

test('zones can be left alone', () => {
  const on = bench(
    { ...BARE, zone: { prefer: false } },
    [...instances(6, () => ({ zone: 'b' })), instance('z', { zone: 'a' })],
    {
      self: { zone: 'a', id: 'x' },
    },
  );
  assert.equal(on.picker.describe().zones, 'the settings say so');
});
