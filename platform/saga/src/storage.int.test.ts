// What the engine asks of PostgreSQL: signals, children, lone starts, actions, fairness, orphans, notices, retention.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { type TestDatabase, testDatabase } from '../../../tests/support/database.ts';
import { quietTelemetry } from '../test/world.ts';
import { createSagaEngine, type SagaEngineInit, type SagaStatus, saga, sagaMigrations } from './index.ts';
import { postgresStorage } from './postgres-storage.ts';

const errors = defineErrors('TEST', { NO: { code: 'failed_precondition', text: 'no' } });
type Deps = { refuse: boolean; ran: string[] };

const child = saga<Deps, { n: number }>('child', 1)
  .step('work', { kind: 'retriable', run: async (_ctx, { input }) => ({ twice: input.n * 2 }) })
  .define();
const parent = saga<Deps, { n: number }>('parent', 1)
  .child('part', { kind: 'retriable', saga: child, input: ({ input }) => ({ n: input.n }) })
  .step('after', { kind: 'retriable', run: async (_ctx, { results }) => ({ seen: results.part.work.twice }) })
  .define();
const waiter = saga<Deps, { n: number }>('waiter', 1)
  .waitFor('approval', { signal: 'approved', timeout: '10m', onTimeout: 'continue' })
  .step('after', { kind: 'retriable', run: async (_ctx, { results }) => ({ said: results.approval ?? null }) })
  .define();
const stubborn = saga<Deps, { n: number }>('stubborn', 1)
  .step('first', { kind: 'compensatable', run: async () => ({}), undo: async () => {} })
  .step('last', {
    kind: 'retriable',
    run: async (ctx, _call, deps) => {
      deps.ran.push(ctx.idempotencyKey ?? '');
      if (deps.refuse) throw errors.NO();
      return {};
    },
  })
  .define();

async function world(t: TestContext, options: Partial<SagaEngineInit<Deps>> = {}) {
  const test = await testDatabase('saga', [sagaMigrations]);
  const deps: Deps = { refuse: true, ran: [] };
  const engine = createSagaEngine<Deps>({
    db: test.db,
    runtime: test.runtime,
    telemetry: quietTelemetry,
    definitions: [child, parent, waiter, stubborn],
    pollMs: 30,
    takeOverMs: 30,
    deps,
    ...options,
  });
  t.after(async () => {
    await engine.stop();
    await test.close();
  });
  return { test, engine, deps };
}

const rows = async <TRow>(test: TestDatabase, sql: string, values: readonly unknown[] = []): Promise<TRow[]> =>
  (await test.db.at(test.ctx).query<TRow>(sql, values)).rows;

async function reaches(test: TestDatabase, id: string, wanted: SagaStatus): Promise<void> {
  const limitMs = test.runtime.clock.monotonicMs() + 20_000;
  for (;;) {
    const [row] = await rows<{ status: SagaStatus }>(test, 'SELECT status FROM souk.saga WHERE id = $1', [id]);
    if (row?.status === wanted) return;
    assert.ok(test.runtime.clock.monotonicMs() < limitMs, `${id} is ${row?.status}, not ${wanted}`);
    await test.runtime.timers.sleep(10);
  }
}

const recordKinds = async (test: TestDatabase, id: string): Promise<number[]> =>
  (await rows<{ kind: number }>(test, 'SELECT kind FROM souk.saga_journal WHERE saga_id = $1 ORDER BY seq', [id])).map(
    ({ kind }) => kind,
  );

test('a child begins with the record of its parent, and its end wakes the parent', async (t) => {
  const { test, engine } = await world(t);
  await engine.start();
  assert.equal(await engine.sagas.startAlone(test.ctx, parent, { id: 'p', input: { n: 21 } }), true);
  assert.equal(await engine.sagas.wait(test.ctx, 'p'), 'COMPLETED');
  const [row] = await rows<{ parent: string; status: string }>(
    test,
    "SELECT parent, status FROM souk.saga WHERE id = 'p/part'",
  );
  assert.deepEqual(row, { parent: 'p', status: 'COMPLETED' });
  const done = (await engine.sagas.journal(test.db.at(test.ctx), 'p')).findLast(({ kind }) => kind === 'STEP_DONE');
  assert.deepEqual(done?.body, { result: { seen: 42 } });
});

test('an id starts once, alone or in a transaction, also when asked at the same time', async (t) => {
  const { test, engine } = await world(t);
  await engine.start();
  const started = await Promise.all(
    Array.from({ length: 5 }, () => engine.sagas.startAlone(test.ctx, child, { id: 'same', input: { n: 1 } })),
  );
  assert.equal(started.filter(Boolean).length, 1);
  assert.equal(await engine.sagas.wait(test.ctx, 'same'), 'COMPLETED');
  await test.db.tx(test.ctx, (tx) => engine.sagas.start(tx, child, { id: 'same', input: { n: 1 }, ctx: test.ctx }));
  assert.equal((await recordKinds(test, 'same')).filter((kind) => kind === 1).length, 1);
});

test('a signal is taken before the saga waits, while it waits, and once however often it is sent', async (t) => {
  const { test, engine } = await world(t);
  const send = (id: string, signalId: string) =>
    test.db.tx(test.ctx, (tx) => engine.sagas.signal(tx, { id, name: 'approved', signalId, body: { by: signalId } }));
  await test.db.tx(test.ctx, (tx) => engine.sagas.start(tx, waiter, { id: 'early', input: { n: 1 }, ctx: test.ctx }));
  await send('early', 'one');
  await send('early', 'one');
  await engine.start();
  assert.equal(await engine.sagas.wait(test.ctx, 'early'), 'COMPLETED');

  await engine.sagas.startAlone(test.ctx, waiter, { id: 'late', input: { n: 1 } });
  await reaches(test, 'late', 'WAITING');
  await send('late', 'two');
  assert.equal(await engine.sagas.wait(test.ctx, 'late'), 'COMPLETED');
  await send('late', 'three');
  const said = async (id: string) => {
    const records = await engine.sagas.journal(test.db.at(test.ctx), id);
    return records.filter(({ kind, step }) => kind === 'STEP_DONE' && step === 'after').map(({ body }) => body);
  };
  assert.deepEqual(await said('early'), [{ result: { said: { by: 'one' } } }]);
  assert.deepEqual(await said('late'), [{ result: { said: { by: 'two' } } }]);
  assert.deepEqual(await rows(test, 'SELECT signal_id FROM souk.saga_signal WHERE NOT taken'), []);
});

test('a signal of a transaction that commits after the saga was let go of wakes it by itself', async (t) => {
  const { test, engine } = await world(t);
  await engine.start();
  await engine.sagas.startAlone(test.ctx, waiter, { id: 's', input: { n: 1 } });
  await reaches(test, 's', 'WAITING');
  // As a signal looks that was inserted while the saga still ran, by a process that is gone since.
  await rows(
    test,
    "INSERT INTO souk.saga_signal (saga_id, name, signal_id, body) VALUES ('s', 'approved', 'x', 'null')",
  );
  assert.equal(await engine.sagas.wait(test.ctx, 's'), 'COMPLETED');
});

test('a stuck saga is retried, told of once, and the audit trail keeps who did it', async (t) => {
  const told: string[] = [];
  const { test, engine, deps } = await world(t, {
    onStuck: async (_tx, { sagaId, step, reason }) => void told.push(`${sagaId} ${step} ${reason}`),
  });
  await engine.start();
  await engine.sagas.startAlone(test.ctx, stubborn, { id: 's', input: { n: 1 }, key: 'k', tenant: 't' });
  assert.equal(await engine.sagas.wait(test.ctx, 's'), 'STUCK');
  const by = { actor: 'usr_1', reason: 'repaired' };
  await assert.rejects(engine.admin.act(test.ctx, { id: 's', action: 'retry', actor: 'usr_1', reason: ' ' }), {
    reason: 'SAGA_ACTION_REFUSED',
  });
  await assert.rejects(engine.admin.act(test.ctx, { id: 's', action: 'retry', ...by, expectedSeq: 1 }), {
    reason: 'SAGA_CHANGED',
  });
  await assert.rejects(engine.admin.act(test.ctx, { id: 'x', action: 'retry', ...by }), { reason: 'SAGA_NOT_FOUND' });
  const [line] = await engine.admin.list(
    test.ctx,
    { status: 'STUCK', error: 'TEST_NO', key: 'k', tenant: 't', step: 'last' },
    { limit: 5, after: undefined },
  );
  assert.equal(line?.item.id, 's');

  await engine.admin.act(test.ctx, { id: 's', action: 'retry', ...by, dryRun: true });
  assert.equal((await engine.sagas.find(test.db.at(test.ctx), 's'))?.status, 'STUCK');
  await engine.admin.act(test.ctx, { id: 's', action: 'retry', ...by, actionId: 'first' });
  await reaches(test, 's', 'STUCK');
  deps.refuse = false;
  await engine.admin.act(test.ctx, { id: 's', action: 'retry', ...by, actionId: 'first' });
  assert.equal((await engine.sagas.find(test.db.at(test.ctx), 's'))?.status, 'STUCK', 'the same action is done once');
  const after = await engine.admin.act(test.ctx, { id: 's', action: 'retry', ...by, actionId: 'second' });
  assert.notEqual(after.status, 'STUCK');
  assert.equal(await engine.sagas.wait(test.ctx, 's'), 'COMPLETED');

  const trail = await engine.admin.actions(test.ctx, { sagaId: 's', limit: 10 });
  assert.deepEqual(
    trail.map(({ actionId, actor, outcome }) => `${actionId} ${actor} ${outcome}`),
    ['second usr_1 done', 'first usr_1 done'],
  );
  assert.deepEqual(new Set(deps.ran), new Set(['s/last']), 'a retry carries the same key');
  await reaches(test, 's', 'COMPLETED');
  assert.deepEqual(told, ['s last TEST_NO', 's last TEST_NO']);
  assert.deepEqual(await rows(test, 'SELECT FROM souk.saga_notice'), []);
});

test('a step is skipped with a result, a saga given up, another taken back by force', async (t) => {
  const { test, engine } = await world(t);
  await engine.start();
  const by = { actor: 'usr_1', reason: 'by hand' };
  for (const id of ['skip', 'give-up', 'back']) {
    await engine.sagas.startAlone(test.ctx, stubborn, { id, input: { n: 1 } });
    assert.equal(await engine.sagas.wait(test.ctx, id), 'STUCK');
  }
  await engine.admin.act(test.ctx, { id: 'skip', action: 'skip', output: { byHand: true }, ...by });
  assert.equal(await engine.sagas.wait(test.ctx, 'skip'), 'COMPLETED');
  assert.equal((await engine.admin.act(test.ctx, { id: 'give-up', action: 'terminate', ...by })).status, 'TERMINATED');
  await assert.rejects(engine.admin.act(test.ctx, { id: 'back', action: 'compensate', ...by }), {
    reason: 'SAGA_ACTION_REFUSED',
  });
  await engine.admin.act(test.ctx, { id: 'back', action: 'compensate', force: true, ...by });
  assert.equal(await engine.sagas.wait(test.ctx, 'back'), 'COMPENSATED');
});

test('a backlog of one saga and tenant does not keep the others waiting', async (t) => {
  const { test } = await world(t);
  await rows(
    test,
    `INSERT INTO souk.saga (id, name, version, shape, status, direction, epoch, claims, seq, wake_at, tenant)
     SELECT 'bulk-' || n, 'child', 1, 'x', 'READY', 'forward', 0, 0, 1, now() - interval '1 hour', 'big' FROM generate_series(1, 20000) n
     UNION ALL SELECT 'small-' || n, 'child', 1, 'x', 'READY', 'forward', 0, 0, 1, now() - interval '1 minute', 'small' FROM generate_series(1, 3) n
     UNION ALL SELECT 'other', 'waiter', 1, 'x', 'READY', 'forward', 0, 0, 1, now() - interval '1 minute', NULL`,
  );
  const storage = postgresStorage(test.db, test.ctx);
  const lease = { workerId: test.runtime.ids.uuid(), epoch: 1 };
  const kinds = ['child@1', 'waiter@1'];
  await storage.register(lease, { host: undefined, pid: 1, startedAt: '' }, 60_000, kinds);
  const claimed = await storage.claim(lease, kinds, test.runtime.clock.now(), 60);
  const ids = claimed.map(({ id }) => id);
  assert.equal(new Set(ids).size, 60);
  assert.deepEqual(ids.filter((id) => !id.startsWith('bulk-')).sort(), ['other', 'small-1', 'small-2', 'small-3']);
});

test('a saga whose definition nobody has is parked with what to do, and goes on when it is there again', async (t) => {
  const { test, engine, deps } = await world(t, { definitions: [stubborn], orphanMs: 0 });
  deps.refuse = false;
  const other = createSagaEngine<Deps>({
    db: test.db,
    runtime: test.runtime,
    telemetry: quietTelemetry,
    definitions: [child],
    deps,
  });
  await test.db.tx(test.ctx, (tx) => other.sagas.start(tx, child, { id: 'orphan', input: { n: 1 }, ctx: test.ctx }));
  await engine.start();
  await reaches(test, 'orphan', 'STUCK');
  const failure = (await engine.sagas.find(test.db.at(test.ctx), 'orphan'))?.failure;
  assert.equal(failure?.reason, 'SAGA_DEFINITION_GONE');
  assert.match(failure?.message ?? '', /saga child version 1: deploy it again and retry/);
  await assert.rejects(engine.admin.act(test.ctx, { id: 'orphan', action: 'retry', actor: 'u', reason: 'r' }), {
    reason: 'SAGA_ACTION_REFUSED',
  });
  await other.start();
  t.after(() => other.stop());
  await other.admin.act(test.ctx, { id: 'orphan', action: 'retry', actor: 'u', reason: 'deployed again' });
  assert.equal(await other.sagas.wait(test.ctx, 'orphan'), 'COMPLETED');
});

test('sagas that ended long ago are forgotten with their journals, and others are not', async (t) => {
  const { test, engine } = await world(t, { retainMs: 1, retentionEveryMs: 20 });
  await engine.start();
  await engine.sagas.startAlone(test.ctx, child, { id: 'old', input: { n: 1 } });
  await engine.sagas.startAlone(test.ctx, waiter, { id: 'waits', input: { n: 1 } });
  await engine.sagas.wait(test.ctx, 'old');
  const limitMs = test.runtime.clock.monotonicMs() + 20_000;
  while ((await rows(test, "SELECT FROM souk.saga_journal WHERE saga_id = 'old'")).length > 0) {
    assert.ok(test.runtime.clock.monotonicMs() < limitMs, 'it is not forgotten');
    await test.runtime.timers.sleep(10);
  }
  assert.deepEqual(await rows(test, 'SELECT id FROM souk.saga'), [{ id: 'waits' }]);
});

test('a row that goes on running keeps its indexes as they are', async (t) => {
  const { test, engine } = await world(t);
  await engine.start();
  for (let n = 0; n < 20; n++) await engine.sagas.startAlone(test.ctx, parent, { id: `p${n}`, input: { n } });
  for (let n = 0; n < 20; n++) await engine.sagas.wait(test.ctx, `p${n}`);
  const [plan] = await rows<{ names: string[] }>(
    test,
    `SELECT array_agg(DISTINCT a.attname::text) AS names FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
       AND (a.attnum = ANY (i.indkey) OR pg_get_expr(i.indpred, i.indrelid) ~ ('\\m' || a.attname || '\\M'))
      WHERE i.indrelid = 'souk.saga'::regclass`,
  );
  for (const changing of ['seq', 'claims', 'updated_at', 'direction'])
    assert.ok(!plan?.names.includes(changing), `${changing} changes with each append and is in an index`);
});
