import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRetryBudget } from './retry-budget.ts';

test('B1 a thousand failures at once share a budget of a fifth: two hundred retries', () => {
  const budget = createRetryBudget({ ratio: 0.2, minPerSec: 0 });
  for (let n = 0; n < 1000; n++) budget.onRequest(0);
  let granted = 0;
  for (let n = 0; n < 1000; n++) if (budget.tryTake(0)) granted++;
  assert.equal(granted, 200);
});

test('B2 what is scheduled is paid for: a budget that is spent stays spent until its window has passed', () => {
  const budget = createRetryBudget({ ratio: 0, minPerSec: 1 });
  for (let n = 0; n < 10; n++) assert.ok(budget.tryTake(0));
  assert.equal(budget.tryTake(9_999), false);
  assert.equal(budget.tryTake(10_000), true);
});

test('B1, B3 at every moment no more retries were granted within ten seconds than requests and floor allow', () => {
  const op = fc.oneof(
    { weight: 6, arbitrary: fc.constant('request' as const) },
    { weight: 6, arbitrary: fc.constant('take' as const) },
    { weight: 2, arbitrary: fc.integer({ min: -2000, max: 25_000 }) },
  );
  fc.assert(
    fc.property(
      fc.array(op, { maxLength: 300, size: 'max' }),
      fc.constantFrom(0, 0.1, 0.25, 1),
      fc.constantFrom(0, 0.1, 1),
      (ops, ratio, minPerSec) => {
        const budget = createRetryBudget({ ratio, minPerSec });
        const requests: number[] = [];
        const retries: number[] = [];
        let nowMs = 0;
        /** The latest that the budget was told: seconds do not come back. */
        let latest = 0;
        for (const one of ops) {
          if (typeof one === 'number') nowMs = Math.max(0, nowMs + one);
          else latest = Math.max(latest, nowMs);
          const second = Math.floor(latest / 1000);
          const recent = (list: number[]) => list.filter((at) => at > second - 10).length;
          const allowed = Math.floor(Math.max(minPerSec * 10, ratio * recent(requests)) + 1e-9);
          if (one === 'request') {
            budget.onRequest(nowMs);
            requests.push(second);
          } else if (one === 'take') {
            const expected = recent(retries) < allowed;
            assert.equal(budget.tryTake(nowMs), expected);
            if (expected) retries.push(second);
          }
        }
      },
    ),
  );
});
