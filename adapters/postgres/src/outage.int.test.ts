import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rootContext, type SoukError, silentLogger } from '@souk/kernel';
import { createPolicyRegistry, type PolicyRegistry } from '@souk/resilience';
import type { Database } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { type TcpProxy, tcpProxy } from '../../../tests/support/tcp-proxy.ts';
import { parseAddress } from './address.ts';
import { createDatabase } from './database.ts';

let shop: TestDatabase;
let wire: TcpProxy;
let db: Database;
let policies: PolicyRegistry;

before(async () => {
  shop = await testDatabase('outage');
  const address = parseAddress(shop.url);
  const { host, port } = address;
  wire = await tcpProxy(host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : port);
  policies = createPolicyRegistry({ runtime: shop.runtime });
  db = createDatabase({
    service: 'shop',
    address: { ...address, host: '127.0.0.1', port: wire.port },
    runtime: shop.runtime,
    log: silentLogger,
    policies,
  });
});
after(async () => {
  await db.close();
  await wire.close();
  await shop.close();
});

const ask = async (): Promise<SoukError | 'ok'> => {
  using ctx = rootContext({ runtime: shop.runtime, timeoutMs: 5000 });
  return db
    .at(ctx)
    .query('SELECT 1')
    .then(
      () => 'ok',
      (error) => error,
    );
};
const state = () => policies.find('sql:shop').look().breaker?.state;
const until = async (is: () => boolean | Promise<boolean>, atMostMs: number): Promise<number> => {
  const fromMs = shop.runtime.clock.monotonicMs();
  for (;;) {
    const tookMs = shop.runtime.clock.monotonicMs() - fromMs;
    if (await is()) return tookMs;
    assert.ok(tookMs < atMostMs, `not within ${atMostMs} ms`);
    await shop.runtime.timers.sleep(10);
  }
};

test('sessions that the server ends are no outage: the next statement has another', async () => {
  using ctx = rootContext({ runtime: shop.runtime });
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 10 }, () => db.at(ctx).query('SELECT pg_sleep(0.01)')));
    const end =
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user';
    await shop.db.at(shop.ctx).query(end);
    // Those that were idle may not have heard of it yet; nobody is refused for it.
    await until(async () => (await ask()) === 'ok', 1000);
    assert.equal(state(), 'CLOSED');
  }
});

test('statements that fail are no outage', async () => {
  using ctx = rootContext({ runtime: shop.runtime });
  for (let n = 0; n < 30; n++) await assert.rejects(db.at(ctx).query('SELECT 1 / 0'), { reason: 'STORE_QUERY_FAILED' });
  await assert.rejects(
    db.tx(ctx, () => Promise.reject(new Error('of the work'))),
    /of the work/,
  );
  assert.equal(state(), 'CLOSED');
});

test('an outage is answered for at once, listeners find back by themselves, and callers soon after it', async () => {
  let reconnects = 0;
  const heard: string[] = [];
  const handlers = { onNotify: (payload: string) => void heard.push(payload), onReconnect: () => void reconnects++ };
  const listening = await db.listen('bell', handlers);
  assert.equal(await ask(), 'ok');
  wire.refuse(true);
  wire.cut();
  await until(async () => (await ask()) !== 'ok' && state() === 'OPEN', 2000);
  const fromMs = shop.runtime.clock.monotonicMs();
  const refused = await Promise.all(Array.from({ length: 200 }, ask));
  assert.ok(shop.runtime.clock.monotonicMs() - fromMs < 1000, 'nobody waits for what is not there');
  for (const error of refused) assert.equal((error as SoukError).reason, 'STORE_UNAVAILABLE');

  wire.refuse(false);
  const [callersMs] = await Promise.all([
    until(async () => (await ask()) === 'ok', 5000),
    until(() => reconnects > 0, 5000),
  ]);
  assert.ok(callersMs < 3000, `${callersMs} ms`);
  await until(async () => (await ask()) === 'ok' && state() === 'CLOSED', 2000);
  using ctx = rootContext({ runtime: shop.runtime });
  await db.at(ctx).query("SELECT pg_notify('bell', 'again')");
  await until(() => heard.includes('again'), 2000);
  await listening.close();
});
