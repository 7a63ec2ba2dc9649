import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BARE,
  type Bench,
  bench,
  chiSquare,
  chiSquareLimit,
  instance,
  instances,
} from '../../test/balancing-fixture.ts';
import type { Instance } from '../instance.ts';
import { loadBound } from './bounded-load.ts';
import { createMember } from './member.ts';
import { EMPTY_RING, ringOf } from './ring-table.ts';

const KEYS = Array.from({ length: 4000 }, (_, n) => `user-${n}`);
const HASHED = ['rendezvous', 'ringHash', 'maglev'] as const;
const UNBOUND = { ...BARE, boundedLoad: { factor: 0 } };

const homes = (on: Bench): Map<string, string> => new Map(KEYS.map((key) => [key, on.call({ key }) as string]));
const moved = (before: Map<string, string>, after: Map<string, string>): string[] =>
  KEYS.filter((key) => before.get(key) !== after.get(key));

for (const algorithm of HASHED) {
  test(`${algorithm}: a key goes to the same instance, from any caller, in any order of the list`, () => {
    const one = bench({ ...UNBOUND, algorithm }, instances(12));
    const other = bench({ ...UNBOUND, algorithm }, instances(12).reverse(), {
      seed: 99,
      self: { zone: 'b', id: 'x-7' },
    });
    assert.deepEqual(homes(one), homes(other));
  });

  test(`${algorithm}: a ring that came about in another way is the same`, () => {
    const on = bench({ ...UNBOUND, algorithm }, instances(12));
    on.call({ key: 'a' });
    on.tell(instances(20));
    on.call({ key: 'a' });
    on.tell(instances(15).slice(3));
    assert.deepEqual(homes(on), homes(bench({ ...UNBOUND, algorithm }, instances(15).slice(3))));
  });

  test(`${algorithm}: keys are spread over all`, () => {
    const counts = new Map<string, number>();
    for (const home of homes(bench({ ...UNBOUND, algorithm }, instances(10))).values())
      counts.set(home, (counts.get(home) ?? 0) + 1);
    assert.equal(counts.size, 10);
    const most = Math.max(...counts.values()) / (KEYS.length / 10);
    assert.ok(most < 1.4, `the most has ${most} times its share`);
    if (algorithm === 'rendezvous') {
      const statistic = chiSquare([...counts.values()]);
      assert.ok(statistic < chiSquareLimit(9), `chi-square ${statistic}`);
    }
  });

  test(`${algorithm}: shares follow weights`, () => {
    const on = bench({ ...UNBOUND, algorithm }, [
      instance('heavy', { weight: 6 }),
      instance('b', { weight: 2 }),
      instance('c', { weight: 2 }),
    ]);
    const share = [...homes(on).values()].filter((home) => home === 'heavy').length / KEYS.length;
    assert.ok(Math.abs(share - 0.6) < 0.05, String(share));
  });

  test(`${algorithm}: an ejected instance moves its own keys alone, and has them back afterwards`, () => {
    const on = bench({ ...UNBOUND, algorithm, outlier: { jitterMs: 0, maxEjectedPercent: 10 } }, instances(10));
    const before = homes(on);
    const key = KEYS.find((one) => before.get(one) === 'orders-03') as string;
    for (let n = 0; n < 5; n++) on.call({ key }, 'error');
    const during = homes(on);
    assert.ok(moved(before, during).every((one) => before.get(one) === 'orders-03'));
    assert.ok(![...during.values()].includes('orders-03'));
    on.runtime.pass(30_001);
    assert.deepEqual(homes(on), before);
  });

  test(`${algorithm}: keys stay with an instance that drains, and calls without a key do not go there`, () => {
    const on = bench({ ...UNBOUND, algorithm }, instances(5));
    const before = homes(on);
    const drains = instances(5, (n) => (n === 2 ? { ready: false, serving: true, terminating: true } : {}));
    on.tell(drains);
    assert.deepEqual(homes(on), before);
    assert.ok(!on.calls(500).has('orders-02'));
    on.tell(drains.filter(({ id }) => id !== 'orders-02'));
    assert.ok(!new Set(homes(on).values()).has('orders-02'));
  });

  test(`${algorithm}: a second try goes elsewhere, and always to the same place`, () => {
    const on = bench({ ...UNBOUND, algorithm }, instances(6));
    for (const key of KEYS.slice(0, 50)) {
      const first = on.call({ key }) as string;
      const second = on.call({ key, avoid: new Set([first]) });
      assert.notEqual(second, first);
      assert.equal(on.call({ key, avoid: new Set([first]) }), second);
    }
  });

  test(`${algorithm}: with bounded load nobody has more than its bound in flight`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 120 }),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 8 }),
        (keys, weights) => {
          const list = instances(weights.length, (n) => ({ weight: weights[n] as number }));
          const on = bench({ ...BARE, algorithm, boundedLoad: { factor: 1.25 } }, list);
          const sum = weights.reduce((all, one) => all + one, 0);
          const active = new Map<string, number>();
          for (const [total, key] of keys.entries()) {
            const id = on.picker.pick({ key: `k${key}` })?.instance.id as string;
            const its = (active.get(id) ?? 0) + 1;
            active.set(id, its);
            const weight = (list.find((one) => one.id === id) as Instance).weight;
            assert.ok(its <= loadBound(1.25, total, weight, sum), `${its} of ${total + 1} calls`);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
}

const WORST = { rendezvous: 1.1, ringHash: 1.4, maglev: 1.5 } as const;
for (const algorithm of HASHED) {
  test(`${algorithm}: one of ten that goes moves about a tenth of the keys, and comes back to them`, () => {
    for (const gone of [0, 4, 9]) {
      const on = bench({ ...UNBOUND, algorithm }, instances(10));
      const before = homes(on);
      on.tell(instances(10).filter((_, n) => n !== gone));
      const after = homes(on);
      const its = KEYS.filter((key) => before.get(key) === `orders-0${gone}`);
      const others = moved(before, after).filter((key) => !its.includes(key));
      if (algorithm !== 'maglev') assert.deepEqual(others, [], 'a key moved between instances that stayed');
      assert.ok(others.length < KEYS.length * 0.05, `${others.length} keys moved between instances that stayed`);
      const share = moved(before, after).length / KEYS.length;
      assert.ok(share <= 0.1 * WORST[algorithm], `${share} of the keys moved`);
      on.tell(instances(10));
      assert.deepEqual(homes(on), before);
    }
  });
}

test('rendezvous: a growing weight only attracts keys', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (weight, more) => {
      const at = (its: number) =>
        homes(
          bench({ ...UNBOUND, algorithm: 'rendezvous' }, [
            instance('a'),
            instance('b', { weight: 3 }),
            instance('c', { weight: its }),
          ]),
        );
      const [before, after] = [at(weight), at(weight + more)];
      assert.ok(moved(before, after).every((key) => after.get(key) === 'c'));
    }),
    { numRuns: 15 },
  );
});

test('a ring that is put together from an older one is the ring that is built from nothing', () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 30 }), { maxLength: 12 });
  const weight = fc.integer({ min: 1, max: 3 });
  const settings = { pointsPerWeight: 20, maxPoints: 500 };
  const members = (list: readonly number[], its: number) =>
    [...list]
      .sort((a, b) => a - b)
      .map((n) => createMember(instance(`i-${100 + n}`, { weight: n % 5 === 0 ? its : 1 }), 0));
  fc.assert(
    fc.property(ids, ids, weight, weight, (before, after, weightBefore, weightAfter) => {
      const was = members(before, weightBefore);
      const older = ringOf(was, settings, EMPTY_RING, []);
      const now = members(after, weightAfter);
      const reused = ringOf(
        now,
        settings,
        older,
        was.map((member) => member.instance.id),
      );
      assert.deepEqual(reused, ringOf(now, settings, EMPTY_RING, []));
    }),
  );
});
