import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootContext, type SoukError, virtualRuntime } from '@souk/kernel';
import { createPolicyRegistry, type PolicyConfig, PRESETS } from '@souk/resilience';
import { storeErrors } from '@souk/store';
import { classifyCheckout, createCheckout } from './checkout.ts';
import type { Connection } from './connection.ts';
import type { Pool } from './pool.ts';

/** A pool that answers as the test says. */
function world(config: PolicyConfig = PRESETS.sql) {
  const runtime = virtualRuntime();
  const policies = createPolicyRegistry({ runtime, rules: { kinds: { sql: config } } });
  const policy = policies.policy('sql:shop', 'sql', { classify: classifyCheckout });
  const connection = {} as Connection;
  const seen = { asked: 0, released: 0, idle: false };
  let answer = async (): Promise<Connection> => connection;
  const pool = {
    take: () => (seen.idle ? connection : undefined),
    wait: () => {
      seen.asked++;
      return answer();
    },
    release: () => void seen.released++,
  } as unknown as Pool;
  const checkout = createCheckout('shop', pool, policy);
  const ctx = rootContext({ runtime });
  /** What a checkout came to: `ok`, or the error. */
  const take = (): Promise<SoukError | 'ok'> =>
    Promise.resolve(checkout(ctx)).then(
      () => 'ok',
      (error) => error,
    );
  return {
    ...{ runtime, policy, policies, seen, connection, checkout, ctx, take },
    say: (next: () => Promise<Connection>) => {
      answer = next;
    },
    fail: (error: SoukError) => {
      answer = () => Promise.reject(error);
    },
  };
}

const down = storeErrors.UNAVAILABLE();

test('an outage is answered for at once, in the words of the store, and says when to come again', async () => {
  const { fail, take, seen } = world();
  fail(down);
  for (let n = 0; n < 10; n++) assert.equal(await take(), down);
  const refused = (await take()) as SoukError;
  assert.equal(seen.asked, 10);
  assert.deepEqual([refused.reason, refused.retry.kind], ['STORE_UNAVAILABLE', 'later']);
  const { afterMs = 0 } = refused.retry as { afterMs?: number };
  assert.ok(afterMs > 300 && afterMs <= 600, String(afterMs));
  assert.equal(await take(), refused, 'those who are refused together share an error');
});

test('an outage of a minute is over for callers within six seconds, and within one after a short one', async () => {
  for (const [outageMs, atMostMs] of [
    [60_000, 6000],
    [1000, 1200],
  ] as const) {
    const { runtime, fail, say, take, connection, seen } = world();
    fail(down);
    for (let ms = 0; ms < outageMs; ms += 50) {
      await take();
      await runtime.advance(50);
    }
    assert.ok(seen.asked < 80, `${seen.asked} calls reached a server that is down`);
    say(async () => connection);
    let goneMs = 0;
    for (; (await take()) !== 'ok'; goneMs += 50) await runtime.advance(50);
    assert.ok(goneMs <= atMostMs, `${goneMs} ms`);
    for (let n = 0; n < 50; n++) assert.equal(await take(), 'ok', 'all are let in at once');
  }
});

test('neither a full pool, nor callers who give up, nor a refused sign-in open the breaker', async () => {
  const { fail, take, policy } = world();
  for (const error of [
    storeErrors.POOL_EXHAUSTED({ database: 'shop' }),
    storeErrors.CLOSED({ service: 'shop' }),
    storeErrors.ACCESS_DENIED({ sqlState: '28P01' }),
    storeErrors.QUERY_FAILED({ sqlState: 'driver' }),
  ]) {
    fail(error);
    for (let n = 0; n < 40; n++) assert.equal(await take(), error);
  }
  assert.equal(policy.look().breaker?.state, 'CLOSED');
});

test('a pool that is full while the server is probed decides nothing', async () => {
  const { runtime, fail, say, take, policy, connection } = world();
  fail(down);
  for (let n = 0; n < 10; n++) await take();
  await runtime.advance(700);
  fail(storeErrors.POOL_EXHAUSTED({ database: 'shop' }));
  for (let n = 0; n < 20; n++) assert.equal(((await take()) as SoukError).reason, 'STORE_POOL_EXHAUSTED');
  assert.equal(policy.look().breaker?.state, 'HALF_OPEN');
  say(async () => connection);
  for (let n = 0; n < 3; n++) assert.equal(await take(), 'ok');
  assert.equal(policy.look().breaker?.state, 'CLOSED');
});

test('an idle connection is had without a wait', async () => {
  const { seen, checkout, ctx, connection } = world();
  seen.idle = true;
  assert.equal(await checkout(ctx), connection);
  assert.deepEqual([seen.asked, seen.released], [0, 0]);
});

test('a connection that comes for nobody goes back', async () => {
  const { runtime, say, take, seen, connection } = world({ ...PRESETS.sql, timeout: 100 });
  const late = Promise.withResolvers<Connection>();
  say(() => late.promise);
  const taken = take();
  await runtime.advance(200);
  const error = (await taken) as SoukError;
  assert.deepEqual([error.reason, error.retry.kind], ['STORE_POOL_EXHAUSTED', 'later']);
  late.resolve(connection);
  await runtime.settle();
  assert.equal(seen.released, 1);
});

test('an operator can keep everybody out', async () => {
  const { policies, take, seen } = world();
  seen.idle = true;
  policies.isolate('sql:shop', { owner: 'ada', reason: 'moving the database', ttlMs: 60_000 });
  assert.equal(((await take()) as SoukError).reason, 'STORE_UNAVAILABLE');
  policies.release('sql:shop', 'ada');
  assert.equal(await take(), 'ok');
});
