import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Runtime, rootContext, systemRuntime } from '@souk/kernel';
import { type Database, migrate, type Sql, storeErrors } from '@souk/store';
import { testDatabase } from '../../../tests/support/database.ts';
import { type FreshServer, freshServer } from '../../../tests/support/fresh-server.ts';
import { checkEpoch, createEventStore, eventStoreMigrations, type Position, START } from './index.ts';

const runtime: Runtime = systemRuntime();
const ctx = rootContext({ runtime });
let other: FreshServer;
before(async () => {
  other = await freshServer(runtime);
});
after(() => other.stop());

const store = createEventStore({ runtime });
const append = (db: Database, stream: string) =>
  store.appendAlone(db, ctx, { stream, expected: 'any', events: [{ type: 'Happened', data: {} }] });
const labels = (events: readonly { stream: string; version: number }[]) =>
  events.map(({ stream, version }) => `${stream}/${version}`);

/** As dump and restore: every row with all its columns, and the numbers that come next. */
async function restore(from: Database, to: Database): Promise<void> {
  await migrate(to, ctx, [eventStoreMigrations]);
  await to.tx(ctx, (tx) => tx.script('DELETE FROM souk.es_meta'));
  for (const table of ['es_meta', 'es_stream', 'es_event']) {
    const { rows } = await from
      .at(ctx)
      .query<{ row: string }>(`SELECT row_to_json(t)::text AS row FROM souk.${table} t`);
    await to
      .at(ctx)
      .query(
        `INSERT INTO souk.${table} OVERRIDING SYSTEM VALUE SELECT r.* FROM unnest($1::text[]) j, json_populate_record(NULL::souk.${table}, j::json) r`,
        [rows.map(({ row }) => row)],
      );
  }
  await to
    .at(ctx)
    .query(
      "SELECT setval(pg_get_serial_sequence('souk.es_event', 'position'), (SELECT max(position) FROM souk.es_event))",
    );
}

/** A cluster that has had more transactions than the fresh one. */
async function oldStore() {
  const on = await testDatabase('epoch', [eventStoreMigrations]);
  assert.deepEqual(await checkEpoch(on.db, ctx), { epoch: 1, changed: undefined });
  for (let n = 0; n < 300; n++) await append(on.db, `s-${n % 7}`);
  return on;
}

test('after a move to another cluster cursors go on: nothing twice, nothing lost', async () => {
  const on = await oldStore();
  const db = await other.open('moved');
  await restore(on.db, db);
  const half = await store.readAll(on.db.at(ctx), { limit: 150 });
  const rest = await store.readAll(on.db.at(ctx), { limit: 1000, after: half.next });
  assert.equal(rest.events.length, 150);

  // Without a new epoch, what is appended now comes before what was read long ago.
  const lost = await append(db, 'before-the-check');
  const unchecked = await store.readAll(db.at(ctx), { limit: 1000, after: half.next });
  assert.ok(lost.position.xid < half.next.xid, 'the fresh cluster has had fewer transactions');
  assert.ok(!labels(unchecked.events).includes('before-the-check/1'), 'the reader never gets it');

  const checks = await Promise.all([1, 2, 3].map(() => checkEpoch(db, ctx)));
  assert.deepEqual(
    checks.map(({ epoch }) => epoch),
    [2, 2, 2],
  );
  assert.deepEqual(
    checks.map(({ changed }) => changed).filter((changed) => changed !== undefined),
    ['cluster'],
  );
  for (let n = 0; n < 7; n++) await append(db, `s-${n}`);
  const moved = await store.readAll(db.at(ctx), { limit: 1000, after: half.next });
  assert.deepEqual(labels(moved.events), [
    ...labels(rest.events),
    ...[0, 1, 2, 3, 4, 5, 6].map((n) => `s-${n}/${Math.ceil((300 - n) / 7) + 1}`),
  ]);
  assert.equal(moved.next.epoch, 2);
  assert.deepEqual(await checkEpoch(db, ctx), { epoch: 2, changed: undefined });
  await db.close();
  await on.close();
});

test('events of transactions that are still to come begin a new epoch, also where the cluster was never noted', async () => {
  const on = await oldStore();
  const db = await other.open('restored');
  await restore(on.db, db);
  await db.at(ctx).query('UPDATE souk.es_meta SET system_identifier = NULL, timeline = NULL');
  assert.deepEqual(await checkEpoch(db, ctx), { epoch: 2, changed: 'transactions' });
  assert.equal((await append(db, 's-0')).position.epoch, 2);
  await db.close();
  await on.close();
});

test('a role that may not ask where it is still sees events of transactions to come', async () => {
  const on = await oldStore();
  const db = await other.open('managed');
  await restore(on.db, db);
  const denied = storeErrors.ACCESS_DENIED({ sqlState: '42501' });
  const deny = (sql: Sql): Sql => ({
    query: (text, values) => (text.includes('pg_control_system') ? Promise.reject(denied) : sql.query(text, values)),
  });
  const managed: Database = { ...db, at: (one) => deny(db.at(one)) };
  assert.deepEqual(await checkEpoch(managed, ctx), { epoch: 2, changed: 'transactions' });
  assert.deepEqual(await checkEpoch(managed, ctx), { epoch: 2, changed: undefined });
  await db.close();
  await on.close();
});

test('a promoted standby begins a new epoch', async () => {
  const on = await oldStore();
  await on.db.at(ctx).query('UPDATE souk.es_meta SET timeline = timeline + 1');
  assert.deepEqual(await checkEpoch(on.db, ctx), { epoch: 2, changed: 'timeline' });
  await on.close();
});

test('a new epoch waits for those who append under the old one', async () => {
  const on = await oldStore();
  await on.db.at(ctx).query('UPDATE souk.es_meta SET timeline = timeline + 1');
  const { promise: ending, resolve: end } = Promise.withResolvers<void>();
  const { promise: begun, resolve: began } = Promise.withResolvers<Position>();
  const writing = on.db.tx(ctx, async (tx) => {
    const events = [{ type: 'Happened', data: {} }];
    began((await store.append(tx, { stream: 'late', expected: 'none', events })).position);
    await ending;
  });
  const { epoch } = await begun;
  const checking = checkEpoch(on.db, ctx);
  const blocked = "SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'";
  while (((await on.db.at(ctx).query<{ n: number }>(blocked)).rows[0]?.n ?? 0) === 0) await runtime.timers.sleep(2);
  const later = append(on.db, 'later');
  end();
  await writing;
  assert.deepEqual([epoch, (await checking).epoch, (await later).position.epoch], [1, 2, 2]);
  const { events } = await store.readAll(on.db.at(ctx), { limit: 1000, after: START });
  assert.deepEqual(labels(events.slice(-2)), ['late/1', 'later/1']);
  await on.close();
});
