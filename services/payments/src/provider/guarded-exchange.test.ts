import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootContext, type SoukError, virtualRuntime } from '@souk/kernel';
import { createPolicyRegistry } from '@souk/resilience';
import { paymentErrors } from '../errors.ts';
import { guardExchange, providerPolicy, sparedForMs } from './guarded-exchange.ts';
import type { HttpExchange, HttpReply } from './http-exchange.ts';
import { persistently } from './persistence.ts';

/** A provider that answers as the test says. */
function world() {
  const runtime = virtualRuntime();
  const policy = providerPolicy(createPolicyRegistry({ runtime }));
  let answer = async (): Promise<HttpReply> => ({ status: 200, body: {} });
  let sends = 0;
  const http: HttpExchange = {
    send: () => {
      sends++;
      return answer();
    },
    close: () => {},
  };
  const guarded = guardExchange(http, policy);
  const ctx = rootContext({ runtime });
  return {
    ...{ runtime, policy, ctx },
    sends: () => sends,
    say: (status: number) => {
      answer = async () => ({ status, body: {} });
    },
    fail: (error: SoukError, afterMs = 0) => {
      answer = async () => {
        if (afterMs > 0) await runtime.timers.sleep(afterMs);
        throw error;
      };
    },
    send: (): Promise<HttpReply | SoukError> =>
      guarded.send(ctx, 'POST', '/v1/charges', 'pay_1/authorize', {}).catch((error) => error),
    sendWithin: (timeoutMs: number) =>
      guarded.send(rootContext({ runtime, timeoutMs }), 'GET', '/').catch((error) => error),
    ask: () => persistently(runtime, ctx, () => guarded.send(ctx, 'GET', '/')),
    state: () => policy.look().breaker?.state,
  };
}

const away = paymentErrors.PROVIDER_UNAVAILABLE();
const silent = paymentErrors.PROVIDER_TIMED_OUT();

for (const error of [away, silent]) {
  test(`a provider that is down is spared after ten requests, each sent once (${error.reason})`, async () => {
    const { fail, send, sends, state } = world();
    fail(error);
    for (let n = 0; n < 10; n++) assert.equal(await send(), error);
    assert.equal(sends(), 10);
    const refused = (await send()) as SoukError;
    assert.deepEqual([sends(), state()], [10, 'OPEN']);
    assert.deepEqual([refused.reason, refused.retry.kind], ['PAYMENTS_PROVIDER_UNAVAILABLE', 'later']);
    assert.ok(Number(sparedForMs(refused)) > 1000);
    assert.equal(sparedForMs(error), undefined);
    assert.equal(sparedForMs(paymentErrors.OUTCOME_UNKNOWN({}, { cause: refused })), sparedForMs(refused));
  });
}

test('answers that refuse are answers, and come as they are', async () => {
  const { say, send, state } = world();
  for (const status of [400, 402, 404, 409, 422, 501]) {
    say(status);
    for (let n = 0; n < 20; n++) assert.deepEqual(await send(), { status, body: {} });
  }
  assert.equal(state(), 'CLOSED');
});

test('a provider that answers with errors of its own is spared', async () => {
  const { say, send, state } = world();
  say(500);
  for (let n = 0; n < 10; n++) assert.deepEqual(await send(), { status: 500, body: {} });
  assert.equal(state(), 'OPEN');
});

test('callers without time say nothing of the provider', async () => {
  const { runtime, fail, sendWithin, state } = world();
  fail(silent, 45);
  for (let n = 0; n < 30; n++) {
    const asked = sendWithin(45);
    await runtime.advance(100);
    assert.equal(((await asked) as SoukError).reason, 'PAYMENTS_PROVIDER_TIMED_OUT');
  }
  assert.equal(state(), 'CLOSED');
});

test('whoever is persistent does not knock at a provider that is spared', async () => {
  const { runtime, fail, send, sends, ask } = world();
  fail(away);
  for (let n = 0; n < 10; n++) await send();
  const before = runtime.clock.monotonicMs();
  await assert.rejects(ask(), { reason: 'PAYMENTS_PROVIDER_UNAVAILABLE' });
  assert.deepEqual([sends(), runtime.clock.monotonicMs()], [10, before]);
});

test('a provider that is back is found within 36 seconds, and soon gets everything', async () => {
  const { runtime, fail, say, send } = world();
  fail(away);
  for (let n = 0; n < 600; n++) {
    await send();
    await runtime.advance(500);
  }
  say(200);
  const waitFor = async (times: number): Promise<number> => {
    let tookMs = 0;
    for (let good = 0; good < times; tookMs += 500) {
      good = 'status' in (await send()) ? good + 1 : 0;
      await runtime.advance(500);
    }
    return tookMs;
  };
  const foundMs = await waitFor(1);
  assert.ok(foundMs <= 37_000, `${foundMs} ms`);
  const allMs = await waitFor(20);
  assert.ok(allMs <= 30_000, `${allMs} ms`);
});
