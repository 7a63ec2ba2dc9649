import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, rootContext, virtualRuntime } from '@souk/kernel';
import { paymentErrors } from '../errors.ts';
import { persistently } from './persistence.ts';

const failing = (times: number, error: unknown) => {
  let sends = 0;
  return {
    ask: async () => {
      sends += 1;
      if (sends <= times) throw error;
      return sends;
    },
    sends: () => sends,
  };
};

test('a missing answer is asked for up to three times', async () => {
  const runtime = virtualRuntime();
  const twice = failing(2, paymentErrors.PROVIDER_TIMED_OUT());
  const answer = persistently(runtime, rootContext({ runtime }), twice.ask);
  await runtime.advance(1000);
  assert.equal(await answer, 3);

  const always = failing(9, paymentErrors.PROVIDER_UNAVAILABLE());
  const failed = assert.rejects(persistently(runtime, rootContext({ runtime }), always.ask));
  await runtime.advance(1000);
  await failed;
  assert.equal(always.sends(), 3);
});

test('a refusal is not asked about again', async () => {
  const runtime = virtualRuntime();
  const refused = failing(9, paymentErrors.PROVIDER_REFUSED({ why: 'x' }));
  await assert.rejects(persistently(runtime, rootContext({ runtime }), refused.ask));
  assert.equal(refused.sends(), 1);
});

test('nothing is asked again when the wait would outlast the call', async () => {
  const runtime = virtualRuntime();
  using ctx = rootContext({ runtime, timeoutMs: 20 });
  const silent = failing(9, paymentErrors.PROVIDER_TIMED_OUT());
  await assert.rejects(persistently(runtime, ctx, silent.ask), (error) =>
    hasReason(error, 'PAYMENTS_PROVIDER_TIMED_OUT'),
  );
  assert.equal(silent.sends(), 1);
});
