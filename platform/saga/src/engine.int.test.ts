import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Database } from '@souk/store';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { openDatabase } from '../../../tests/support/open-database.ts';
import { effectsMigrations, effectsSaga } from '../test/effects-saga.ts';
import { quietTelemetry } from '../test/world.ts';
import { createSagaEngine, type SagaEngineOptions, saga, sagaMigrations } from './index.ts';

async function world(t: TestContext) {
  const test = await testDatabase('saga', [sagaMigrations, effectsMigrations]);
  t.after(() => test.close());
  return test;
}

function engineOn(test: TestDatabase, options: SagaEngineOptions & { db?: Database; takesMs?: number } = {}) {
  const { db = test.db, takesMs = 0, ...settings } = options;
  const engine = createSagaEngine({
    db,
    runtime: test.runtime,
    telemetry: quietTelemetry,
    definitions: [effectsSaga],
    pollMs: 50,
    takeOverMs: 50,
    ...settings,
  });
  engine.bind({ db: test.db, runtime: test.runtime, takesMs });
  return engine;
}

const startAll = async (test: TestDatabase, engine: ReturnType<typeof engineOn>, ids: readonly string[]) => {
  await Promise.all(
    ids.map((id, n) =>
      test.db.tx(test.ctx, (tx) => engine.sagas.start(tx, effectsSaga, { id, input: { n }, ctx: test.ctx })),
    ),
  );
};

async function until(test: TestDatabase, what: string, holds: () => Promise<boolean>): Promise<void> {
  const limitMs = test.runtime.clock.monotonicMs() + 30_000;
  while (!(await holds())) {
    assert.ok(test.runtime.clock.monotonicMs() < limitMs, `did not come: ${what}`);
    await test.runtime.timers.sleep(10);
  }
}

const count = async (test: TestDatabase, sql: string): Promise<number> => {
  const { rows } = await test.db.at(test.ctx).query<{ n: number }>(sql);
  return rows[0]?.n ?? -1;
};
const completed = (test: TestDatabase) =>
  count(test, `SELECT count(*)::int4 AS n FROM souk.saga WHERE status = 'COMPLETED'`);
const names = (many: number) => Array.from({ length: many }, (_, n) => `s${n}`);

/** Holds back every statement from `pause` on, as a process does that is stopped. */
function pausable(db: Database) {
  let gate = Promise.resolve();
  let open = () => {};
  return {
    db: {
      ...db,
      at: (ctx: Parameters<Database['at']>[0]) => ({
        query: async <TRow>(text: string, values?: readonly unknown[]) => {
          await gate;
          return db.at(ctx).query<TRow>(text, values);
        },
      }),
    } as Database,
    pause: () => {
      ({ promise: gate, resolve: open } = Promise.withResolvers<void>());
    },
    resume: () => open(),
  };
}

test('a saga runs as soon as its transaction is committed, and not at all after a rollback', async (t) => {
  const test = await world(t);
  const engine = engineOn(test, { pollMs: 60_000 });
  await engine.start();
  t.after(() => engine.stop());
  await startAll(test, engine, ['s1']);
  await assert.rejects(
    test.db.tx(test.ctx, async (tx) => {
      await engine.sagas.start(tx, effectsSaga, { id: 's2', input: { n: 2 }, ctx: test.ctx });
      await tx.query('SELECT 1 / 0');
    }),
  );
  await until(test, 's1 done', async () => (await completed(test)) === 1);
  const sql = test.db.at(test.ctx);
  assert.deepEqual(await engine.sagas.find(sql, 's1'), {
    id: 's1',
    name: 'effects',
    version: 1,
    status: 'COMPLETED',
    direction: 'forward',
    failure: undefined,
  });
  assert.equal(await engine.sagas.find(sql, 's2'), undefined);
  const journal = await engine.sagas.journal(sql, 's1');
  assert.deepEqual(
    journal.map(({ seq, kind, step }) => `${seq} ${kind} ${step ?? ''}`.trim()),
    ['1 STARTED', '2 STEP_DONE a', '3 STEP_DONE b', '4 STEP_DONE c', '5 STEP_DONE d', '6 ENDED'],
  );
});

test('a saga of four steps costs four statements beside its start', async (t) => {
  const test = await world(t);
  let statements = 0;
  const db = {
    ...test.db,
    at: (ctx: Parameters<Database['at']>[0]) => ({
      query: <TRow>(text: string, values?: readonly unknown[]) => {
        if (text.includes('souk.')) statements++;
        return test.db.at(ctx).query<TRow>(text, values);
      },
    }),
  } as Database;
  const engine = engineOn(test, { db, pollMs: 60_000, takeOverMs: 60_000 });
  await engine.start();
  t.after(() => engine.stop());
  await test.runtime.timers.sleep(0);
  await until(test, 'first claim', async () => statements >= 4);
  const before = statements;
  await startAll(test, engine, ['s1']);
  await until(test, 's1 done', async () => (await completed(test)) === 1);
  assert.equal(statements - before, 4);
});

test('what a worker leaves behind is taken over when its lease ends, and the zombie is fenced', async (t) => {
  const test = await world(t);
  const gate = pausable(test.db);
  const first = engineOn(test, { db: gate.db, takesMs: 30 });
  await first.start();
  await startAll(test, first, names(10));
  await until(test, 'first effects', async () => (await count(test, 'SELECT count(*)::int4 AS n FROM effect')) >= 12);
  gate.pause();
  await test.db.at(test.ctx).query(`UPDATE souk.saga_worker SET expires_at = clock_timestamp() - interval '1 second'`);
  const second = engineOn(test);
  await second.start();
  t.after(() => second.stop());
  await until(test, 'all done', async () => (await completed(test)) === 10);
  const records = () => count(test, 'SELECT count(*)::int4 AS n FROM souk.saga_journal WHERE kind = 2');
  assert.equal(await records(), 40);
  gate.resume();
  await first.stop();
  assert.equal(await records(), 40, 'the zombie wrote nothing');
  assert.equal(await count(test, 'SELECT count(*)::int4 AS n FROM effect'), 40);
});

test('two engines share the sagas and run none twice', async (t) => {
  const test = await world(t);
  const engines = [engineOn(test, { concurrency: 5 }), engineOn(test, { concurrency: 5 })] as const;
  await startAll(test, engines[0], names(60));
  await Promise.all(engines.map((engine) => engine.start()));
  t.after(() => Promise.all(engines.map((engine) => engine.stop())));
  await until(test, 'all done', async () => (await completed(test)) === 60);
  assert.equal(await count(test, 'SELECT count(*)::int4 AS n FROM attempt'), 240);
});

test('after kill -9 the next worker on the host goes on at once, and each effect is there once', async (t) => {
  const test = await world(t);
  const engine = engineOn(test, { takeOverMs: 60_000 });
  await startAll(test, engine, names(20));
  const script = fileURLToPath(new URL('../test/crash-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, test.url], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await until(
    test,
    'effects of the child',
    async () => (await count(test, 'SELECT count(*)::int4 AS n FROM effect')) >= 30,
  );
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  const left = 20 - (await completed(test));
  assert.ok(left > 0, 'the child was killed midway');
  const killedMs = test.runtime.clock.monotonicMs();
  await engine.start();
  t.after(() => engine.stop());
  await until(test, 'all done', async () => (await completed(test)) === 20);
  assert.ok(test.runtime.clock.monotonicMs() - killedMs < 5_000, 'sooner than the lease of the dead worker ends');
  assert.equal(await count(test, 'SELECT count(*)::int4 AS n FROM effect'), 80);
});

test('a row that the database refuses leaves only its own saga stuck', async (t) => {
  const test = await world(t);
  const mixed = saga<null, string>('mixed', 1)
    .step('say', { kind: 'pivot', run: async (_ctx, call) => call.input })
    .define();
  const poison = saga<null, string>('poison', 1)
    .step('say', { kind: 'pivot', run: async () => 'a\u0000b' })
    .define();
  const engine = createSagaEngine({
    db: test.db,
    runtime: test.runtime,
    telemetry: quietTelemetry,
    definitions: [mixed, poison],
    deps: null,
  });
  await engine.start();
  t.after(() => engine.stop());
  await test.db.tx(test.ctx, async (tx) => {
    for (const id of names(20))
      await engine.sagas.start(tx, id === 's7' ? poison : mixed, { id, input: id, ctx: test.ctx });
  });
  await until(
    test,
    'nothing runs',
    async () => (await count(test, `SELECT count(*)::int4 AS n FROM souk.saga WHERE status = 'RUNNING'`)) === 0,
  );
  assert.equal(await completed(test), 19);
  const stuck = await engine.sagas.find(test.db.at(test.ctx), 's7');
  assert.equal(stuck?.status, 'STUCK');
  assert.equal(stuck?.failure?.reason, 'SAGA_RECORD_REFUSED');
});

test('plans made while the tables were empty do not read the whole table later', async (t) => {
  const test = await testDatabase('saga', [sagaMigrations, effectsMigrations]);
  const engine = engineOn(test, { concurrency: 16 });
  await engine.start();
  for (let round = 0; round < 10; round++)
    await startAll(
      test,
      engine,
      names(40).map((id) => `${round}-${id}`),
    );
  // Counted from the effects: the test itself must not read the table.
  await until(test, 'all done', async () => (await count(test, 'SELECT count(*)::int4 AS n FROM effect')) === 1600);
  await engine.stop();
  await test.close();
  // The backends that worked have reported what they did when they ended.
  const other = await openDatabase(test.url);
  t.after(() => other.close());
  const { rows } = await other.db.at(other.ctx).query<{ name: string; rows: number }>(
    // saga_worker holds a row per process: reading it whole is right.
    `SELECT relname AS name, seq_tup_read::int4 AS rows FROM pg_stat_user_tables
        WHERE schemaname = 'souk' AND relname <> 'saga_worker' AND seq_tup_read > 100`,
  );
  assert.deepEqual(rows, []);
  const indexes = await other.db
    .at(other.ctx)
    .query<{ name: string; rows: number }>(
      `SELECT indexrelname AS name, idx_tup_read::int4 AS rows FROM pg_stat_user_indexes WHERE schemaname = 'souk' AND idx_tup_read > 400 * 50`,
    );
  assert.deepEqual(indexes.rows, [], 'entries read per saga stay few');
});

test('what a stopping engine lets go of is ready for the next at once', async (t) => {
  const test = await world(t);
  const first = engineOn(test, { takesMs: 50 });
  await first.start();
  await startAll(test, first, names(5));
  await first.stop();
  assert.equal(await count(test, `SELECT count(*)::int4 AS n FROM souk.saga WHERE status = 'RUNNING'`), 0);
  const second = engineOn(test);
  await second.start();
  t.after(() => second.stop());
  await until(test, 'all done', async () => (await completed(test)) === 5);
  assert.equal(await count(test, 'SELECT count(*)::int4 AS n FROM attempt'), 20);
});
