import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BARE, bench, chiSquare, chiSquareLimit, instance, instances } from '../../test/balancing-fixture.ts';

const weighted = (weights: readonly number[]) => instances(weights.length, (n) => ({ weight: weights[n] as number }));
const weightsOf = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 12 });
const shares = (counts: Map<string, number>, weights: readonly number[]) =>
  weights.map((_, n) => counts.get(`orders-${String(n).padStart(2, '0')}`) ?? 0);

test('smooth weighted: over any sum of weights each instance has exactly its weight', () => {
  fc.assert(
    fc.property(weightsOf, fc.integer({ min: 1, max: 3 }), (weights, rounds) => {
      const sum = weights.reduce((all, one) => all + one, 0);
      const counts = bench({ ...BARE, algorithm: 'smoothWeighted' }, weighted(weights)).calls(sum * rounds);
      assert.deepEqual(
        shares(counts, weights),
        weights.map((weight) => weight * rounds),
      );
    }),
  );
});

test('smooth weighted: {5, 1, 1} gives a a b a c a a', () => {
  const on = bench({ ...BARE, algorithm: 'smoothWeighted' }, [
    instance('a', { weight: 5 }),
    instance('b'),
    instance('c'),
  ]);
  assert.equal(Array.from({ length: 7 }, () => on.call()).join(' '), 'a a b a c a a');
});

test('smooth weighted: a failure halves the weight, successes bring it back', () => {
  const on = bench({ ...BARE, algorithm: 'smoothWeighted' }, [
    instance('a', { weight: 8 }),
    instance('b', { weight: 8 }),
  ]);
  assert.equal(on.call({}, 'error'), 'a');
  const after = Array.from({ length: 4 }, () => on.call());
  assert.deepEqual(after, ['b', 'b', 'b', 'a']);
  on.calls(100);
  const counts = on.calls(160);
  assert.equal(counts.get('a'), counts.get('b'));
});

test('smooth weighted: credits stay when another instance comes', () => {
  const on = bench({ ...BARE, algorithm: 'smoothWeighted' }, [instance('a'), instance('b')]);
  assert.equal(on.call(), 'a');
  on.tell([instance('a'), instance('b'), instance('c')]);
  assert.equal(on.call(), 'b');
});

test('round robin: nobody is ever more than a call off its share, whatever the weights', () => {
  fc.assert(
    fc.property(weightsOf, fc.integer({ min: 1, max: 300 }), fc.integer(), (weights, calls, seed) => {
      const sum = weights.reduce((all, one) => all + one, 0);
      const counts = bench({ ...BARE, algorithm: 'roundRobin' }, weighted(weights), { seed }).calls(calls);
      for (const [n, count] of shares(counts, weights).entries()) {
        const share = (calls * (weights[n] as number)) / sum;
        // The first deadlines are drawn, so a share is off by less than one call of its own and one of the others' together.
        assert.ok(Math.abs(count - share) < 2, `${count} calls of ${share}`);
      }
    }),
  );
});

test('round robin: callers with other seeds do not march in step', () => {
  const firsts = Array.from({ length: 20 }, (_, seed) =>
    bench({ ...BARE, algorithm: 'roundRobin' }, instances(10), { seed: seed + 1 }).call(),
  );
  assert.ok(new Set(firsts).size >= 5, String(new Set(firsts).size));
});

test('round robin: who was full does not get at once what it missed', () => {
  const on = bench({ ...BARE, algorithm: 'roundRobin', maxInFlight: 1 }, [instance('a'), instance('b')]);
  const held = [on.picker.pick({}), on.picker.pick({})].find((picked) => picked?.instance.id === 'a');
  assert.ok(held);
  // b, whose call also waits, is free again; a stays full.
  on.change({ ...BARE, algorithm: 'roundRobin', maxInFlight: 2 });
  const busy = on.picker.pick({ avoid: new Set(['b']) });
  assert.equal(busy?.instance.id, 'a');
  assert.deepEqual([...on.calls(50).keys()], ['b']);
  held.done({ kind: 'ok' });
  busy.done({ kind: 'ok' });
  const after = on.calls(10);
  assert.ok((after.get('a') as number) <= 6, `a got ${after.get('a')} of 10`);
});

for (const [algorithm, count, seed] of [
  ['random', 7, 3],
  ['leastRequest', 7, 3],
  ['leastRequest', 25, 4],
  ['peakEwma', 25, 5],
] as const) {
  test(`${algorithm}: calls that overlap with none spread evenly over ${count} instances`, () => {
    const counts = bench({ ...BARE, algorithm }, instances(count), { seed }).calls(20_000);
    const statistic = chiSquare(shares(counts, Array(count).fill(1)));
    assert.ok(statistic < chiSquareLimit(count - 1), `chi-square ${statistic}`);
  });
}

for (const algorithm of ['random', 'leastRequest'] as const) {
  test(`${algorithm}: calls that overlap with none spread by weight`, () => {
    for (const weights of [
      [5, 1, 1],
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    ]) {
      const sum = weights.reduce((all, one) => all + one, 0);
      const counts = bench({ ...BARE, algorithm }, weighted(weights), { seed: 9 }).calls(20_000);
      const expected = weights.map((weight) => weight / sum);
      const statistic = chiSquare(shares(counts, weights), expected);
      assert.ok(statistic < chiSquareLimit(weights.length - 1), `chi-square ${statistic} for ${weights}`);
    }
  });
}

test('least request: of two draws nobody gets more than twice its share, and the busiest gets least', () => {
  const on = bench({ ...BARE, algorithm: 'leastRequest' }, instances(20), { seed: 6 });
  const held = Array.from({ length: 40 }, () =>
    on.picker.pick({
      avoid: new Set(
        instances(20)
          .slice(1)
          .map(({ id }) => id),
      ),
    }),
  );
  assert.ok(held.every((picked) => picked?.instance.id === 'orders-00'));
  const counts = on.calls(10_000);
  assert.equal(counts.get('orders-00') ?? 0, 0);
  assert.ok([...counts.values()].every((count) => count < (2 * 10_000) / 20));
});

test('least request: up to ten instances the one with the fewest calls always wins', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 10 }), (loads) => {
      const on = bench({ ...BARE }, instances(loads.length));
      const ids = instances(loads.length).map(({ id }) => id);
      for (const [n, load] of loads.entries())
        for (let i = 0; i < load; i++) on.picker.pick({ avoid: new Set(ids.filter((_, other) => other !== n)) });
      const picked = on.picker.pick({})?.instance.id as string;
      assert.equal(loads[ids.indexOf(picked)], Math.min(...loads));
    }),
  );
});

test('weight 0 gets nothing, from any algorithm', () => {
  for (const algorithm of [
    'leastRequest',
    'random',
    'roundRobin',
    'smoothWeighted',
    'rendezvous',
    'ringHash',
    'maglev',
  ]) {
    const on = bench({ ...BARE, algorithm }, [instance('none', { weight: 0 }), instance('one')]);
    assert.deepEqual([...on.calls(50, (n) => ({ key: `k${n}` })).keys()], ['one'], algorithm);
  }
});

test('peak EWMA: an instance that was slow once is asked again when the memory has faded', () => {
  const on = bench({ ...BARE, algorithm: 'peakEwma', peakEwma: { tauMs: 1000 } }, instances(2));
  const avoid = new Set(['orders-01']);
  on.call({ avoid }, 'ok', 5000);
  const fast = () => on.call({}, 'ok', 10);
  for (let n = 0; n < 50; n++) assert.equal(fast(), 'orders-01');
  on.runtime.pass(10_000);
  const later = Array.from({ length: 200 }, fast);
  assert.ok(later.filter((id) => id === 'orders-00').length > 50);
});

test('peak EWMA: an instance that fails at once does not win', () => {
  const on = bench({ ...BARE, algorithm: 'peakEwma' }, instances(4));
  let failing = 0;
  for (let n = 0; n < 2000; n++) {
    const picked = on.picker.pick({});
    const fails = picked?.instance.id === 'orders-00';
    on.runtime.pass(fails ? 1 : 20);
    picked?.done({ kind: fails ? 'error' : 'ok' });
    if (fails) failing += 1;
  }
  assert.ok(failing < 2000 / 4 / 4, `${failing} of 2000 went to it`);
});

test('peak EWMA: who has never answered gets one call, and no second before that ends', () => {
  const on = bench({ ...BARE, algorithm: 'peakEwma' }, instances(2));
  on.call({ avoid: new Set(['orders-00']) }, 'ok', 50);
  const first = on.picker.pick({});
  assert.equal(first?.instance.id, 'orders-00');
  for (let n = 0; n < 20; n++) assert.equal(on.picker.pick({})?.instance.id, 'orders-01');
});

test('least request: an instance that fails at once does not win', () => {
  const on = bench(BARE, instances(4));
  let failing = 0;
  for (let n = 0; n < 2000; n++) {
    const picked = on.picker.pick({});
    const fails = picked?.instance.id === 'orders-00';
    on.runtime.pass(fails ? 1 : 20);
    picked?.done({ kind: fails ? 'error' : 'ok' });
    if (fails) failing += 1;
  }
  assert.ok(failing < 2000 / 4 / 4, `${failing} of 2000 went to it`);
});

test('least request: an instance that was slow once is asked again within seconds', () => {
  const on = bench(BARE, instances(2));
  on.call({ avoid: new Set(['orders-01']) }, 'ok', 1000);
  let calls = 0;
  while (calls < 5000 && on.call({}, 'ok', 20) !== 'orders-00') calls += 1;
  assert.ok(calls > 50 && calls < 50 * 60, `after ${calls * 20} ms`);
  on.runtime.pass(60_000);
  for (let n = 0; n < 60; n++) on.call({}, 'ok', 20);
  const counts = new Map<string | undefined, number>();
  for (let n = 0; n < 200; n++) {
    const id = on.call({}, 'ok', 20);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  assert.ok((counts.get('orders-00') ?? 0) > 60, `${counts.get('orders-00')} of 200`);
});

test('least request: without a handicap latencies do not matter', () => {
  const on = bench({ ...BARE, leastRequest: { handicap: 0 } }, instances(2));
  on.call({ avoid: new Set(['orders-01']) }, 'ok', 60_000);
  assert.ok((on.calls(200).get('orders-00') as number) > 60);
});
