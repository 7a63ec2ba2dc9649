import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { replayHistories, type ScriptedOutcome, type Simulated } from '@souk/saga/testing';
import { remembered, runPlaceOrder } from '../../test/place-order-runs.ts';
import { placeOrderSaga } from './place-order.ts';

const steps = [...placeOrderSaga.steps.values()];
const FAILURES: readonly ScriptedOutcome[] = ['refused', 'failed', 'unknown', 'silent', 'hangs', 'defect', 'review'];
/** Once, a few times, and more often than any limit. */
const TIMES = [1, 3, 30];

function checkEnd(run: Simulated, what: string): void {
  const effect = (step: string) => run.effects.get(step);
  const before = steps.filter(({ kind }) => kind === 'compensatable').map(({ name }) => name);
  const from = steps.filter(({ kind }) => kind === 'pivot' || kind === 'retriable').map(({ name }) => name);
  if (run.status === 'COMPLETED') {
    for (const step of [...before, ...from]) assert.equal(effect(step), 'done', `${what}: ${step}`);
  } else if (run.status === 'COMPENSATED') {
    for (const step of [...before, ...from]) assert.notEqual(effect(step), 'done', `${what}: ${step} is left`);
  } else {
    assert.equal(run.status, 'STUCK', what);
    assert.ok(run.failure !== undefined, `${what}: nobody is told what it is stuck on`);
  }
}

test('however often whichever step fails, all is done, what was done is undone, or a person is asked', async () => {
  const seen = new Set<string>();
  for (const { name } of steps) {
    for (const outcome of FAILURES) {
      for (const times of TIMES) {
        const what = `${name} ${outcome} ${times} times`;
        const run = await runPlaceOrder({ [name]: Array(times).fill(outcome) });
        checkEnd(run, what);
        seen.add(run.status);
      }
    }
  }
  assert.deepEqual([...seen].sort(), ['COMPENSATED', 'COMPLETED', 'STUCK']);
});

test('an order waits for minutes for a provider that is away and says so at once, and not for ever', async () => {
  for (const outcome of ['unknown', 'failed'] as const) {
    const waited = await runPlaceOrder({ 'authorize-payment': Array(70).fill(outcome) });
    assert.equal(waited.status, 'COMPLETED', outcome);
    const givenUp = await runPlaceOrder({ 'authorize-payment': Array(210).fill(outcome) });
    assert.equal(givenUp.status, 'COMPENSATED', outcome);
    checkEnd(givenUp, outcome);
  }
});

test('an order that turns back is rejected also when its undos fail for a while', async () => {
  for (const undo of ['reserve-stock/undo', 'authorize-payment/undo', 'onCompensated']) {
    for (const outcome of ['failed', 'unknown', 'silent'] as const) {
      const run = await runPlaceOrder({ 'confirm-order': ['refused'], [undo]: [outcome, outcome] });
      assert.equal(run.status, 'COMPENSATED', `${undo} ${outcome}`);
      checkEnd(run, undo);
    }
  }
});

test('a process that dies after any step leaves the order to another, which finishes it', async () => {
  for (const { name } of steps) {
    const run = await runPlaceOrder({}, { crashAfter: name });
    assert.equal(run.status, 'COMPLETED', name);
    checkEnd(run, name);
  }
});

test('orders begun by earlier releases mean what they meant', async () => {
  const folder = fileURLToPath(new URL('../../test/histories', import.meta.url));
  assert.ok((await replayHistories([placeOrderSaga], folder)) >= Object.keys(remembered).length);
});
