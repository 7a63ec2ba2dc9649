import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase } from '../../../tests/support/database.ts';
import { moveCheckpoint, readCheckpoint } from './checkpoint.ts';
import { createPartLeases } from './checkpoint-lease.ts';
import { type Position, projectionMigrations, START } from './index.ts';

const at = (position: bigint): Position => ({ epoch: 1, xid: 7n, position });

async function world() {
  const on = await testDatabase('checkpoint', [projectionMigrations]);
  const sql = on.db.at(on.ctx);
  await sql.query(`INSERT INTO souk.es_generation (name, generation, kind, version, tables, state, actor, reason)
    VALUES ('p', 1, 'projection', 1, '{}', 'live', 'test', 'test')`);
  await sql.query(`INSERT INTO souk.es_checkpoint (name, generation, part, parts, epoch, xid, position)
    SELECT 'p', 1, n, 2, 0, '0', 0 FROM generate_series(0, 1) n`);
  const leases = (leaseMs: number) => createPartLeases({ db: on.db, runtime: on.runtime, leaseMs });
  return { ...on, sql, leases };
}

test('a part is moved only by who holds it, and only from where it is', async (t) => {
  const { ctx, sql, leases, close } = await world();
  t.after(close);
  const ours = leases(60_000);
  const { parts } = await ours.renew(ctx, ['p']);
  const [held] = await ours.acquire(ctx, parts, 1);
  assert.ok(held !== undefined && held.fence === 1n);
  const move = { events: 1, caughtUp: true };
  await moveCheckpoint(sql, held, { from: START, to: at(3n), ...move });
  for (const [who, from] of [
    [held, START],
    [held, at(2n)],
    [{ ...held, fence: 0n }, at(3n)],
    [{ ...held, fence: 2n }, at(3n)],
    [{ ...held, generation: 2 }, at(3n)],
  ] as const)
    await assert.rejects(moveCheckpoint(sql, who, { from, to: at(9n), ...move }), { reason: 'PROJECTION_FENCED' });
  await moveCheckpoint(sql, held, { from: at(3n), to: at(4n), ...move });
  assert.deepEqual((await readCheckpoint(sql, held))?.position, at(4n));
});

test('who is silent for longer than its lease loses its parts, with a higher fence, and joins again', async (t) => {
  const { ctx, runtime, leases, close } = await world();
  t.after(close);
  const [sleeper, heir] = [leases(50), leases(60_000)];
  const first = await sleeper.acquire(ctx, (await sleeper.renew(ctx, ['p'])).parts, 2);
  assert.equal(first.length, 2);
  let view = await heir.renew(ctx, ['p']);
  assert.ok(view.parts.every(({ mine }) => !mine));
  await runtime.timers.sleep(60);
  view = await heir.renew(ctx, ['p']);
  assert.ok(view.parts.every(({ free }) => free));
  const taken = await heir.acquire(ctx, view.parts, 2);
  assert.deepEqual(
    taken.map(({ fence }) => fence),
    [2n, 2n],
  );
  const again = await sleeper.renew(ctx, ['p']);
  assert.deepEqual([again.members, again.parts.filter(({ mine, free }) => mine || free)], [2, []]);
  await heir.release(ctx, taken.slice(0, 1));
  assert.equal((await sleeper.renew(ctx, ['p'])).parts.filter(({ free }) => free).length, 1);
  await heir.leave(ctx);
  assert.deepEqual((await sleeper.renew(ctx, ['p'])).members, 1);
});
