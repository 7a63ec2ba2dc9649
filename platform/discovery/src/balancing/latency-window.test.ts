import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLatencyWindow } from './latency-window.ts';

test('a quantile is never below the true one, and at most 19 % above', () => {
  const latencies = fc.array(fc.double({ min: 0.1, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(latencies, fc.double({ min: 0.01, max: 1, noNaN: true }), (list, share) => {
      const window = createLatencyWindow();
      for (const ms of list) window.add(ms);
      const exact = [...list].sort((a, b) => a - b)[Math.ceil(list.length * share) - 1] as number;
      const said = window.quantile(share);
      assert.ok(said >= exact * (1 - 1e-9) && said <= exact * 1.19, `${said} for ${exact}`);
    }),
  );
});

test('an empty window says 0, also after it was cleared', () => {
  const window = createLatencyWindow();
  assert.equal(window.quantile(0.9), 0);
  window.add(5);
  window.clear();
  assert.equal(window.quantile(0.9), 0);
});

test('what is out of range counts in the last slots', () => {
  const window = createLatencyWindow();
  window.add(0);
  window.add(Number.MAX_VALUE);
  assert.ok(window.quantile(1) > 4_000_000);
});
