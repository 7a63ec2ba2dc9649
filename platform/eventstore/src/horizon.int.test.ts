import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootContext, silentLogger } from '@souk/kernel';
import { createRegistry, silentTelemetry } from '@souk/telemetry';
import { testDatabase } from '../../../tests/support/database.ts';
import { createHorizonWatch, eventStoreMigrations } from './index.ts';

test('an old write transaction is named, measured and warned of once; of another database too', async () => {
  const on = await testDatabase('horizon', [eventStoreMigrations]);
  const neighbour = await testDatabase('neighbour');
  const registry = createRegistry();
  const telemetry = { ...silentTelemetry(on.runtime), metrics: registry.view({ service: 'horizon' }) };
  let nowMs = 0;
  const runtime = { ...on.runtime, clock: { ...on.runtime.clock, monotonicMs: () => nowMs } };
  const watch = createHorizonWatch({ db: on.db, runtime, telemetry });
  const warnings: Record<string, unknown>[] = [];
  const log = { ...silentLogger, warn: (_: string, fields = {}) => void warnings.push(fields) };
  const ctx = rootContext({ runtime: on.runtime, log });

  assert.deepEqual(await watch.check(ctx), { ageSeconds: 0, holder: undefined });
  for (const { db, application } of [
    { db: on.db, application: /^souk-horizon/ },
    { db: neighbour.db, application: /^souk-neighbour/ },
  ]) {
    warnings.length = 0;
    await db.tx(on.ctx, async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid, pg_current_xact_id()');
      const young = await watch.check(ctx);
      assert.equal(young.holder?.pid, rows[0]?.pid);
      assert.match(young.holder?.application ?? '', application);
      assert.ok(young.ageSeconds < 5);
      assert.equal(warnings.length, 0);
      nowMs += 6000;
      const old = await watch.check(ctx);
      assert.ok(old.ageSeconds >= 6);
      await watch.check(ctx);
      assert.deepEqual([warnings.length, warnings[0]?.pid], [1, rows[0]?.pid]);
      assert.match(registry.exposition(), /souk_eventstore_horizon_age_seconds\{service="horizon"\} [6-9]/);
    });
    assert.equal((await watch.check(ctx)).ageSeconds, 0);
  }
  await neighbour.close();
  await on.close();
});
