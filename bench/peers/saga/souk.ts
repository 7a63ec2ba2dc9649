import { createPostgresServer } from '@souk/adapter-postgres';
import { rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { createSagaEngine, saga, sagaMigrations } from '@souk/saga';
import { migrate } from '@souk/store';
import { silentTelemetry } from '@souk/telemetry';
import { closedLoop, readOrder, report } from '../../lib/engine.ts';

type Input = { readonly orderId: string };

const placeOrder = saga<undefined, Input>('place-order', 1)
  .step('reserve', {
    kind: 'compensatable',
    run: async (_ctx, { input }) => ({ reserve: input.orderId }),
    undo: async () => {},
  })
  .step('authorize', {
    kind: 'compensatable',
    run: async (_ctx, { input }) => ({ authorize: input.orderId }),
    undo: async () => {},
  })
  .step('confirm', { kind: 'pivot', run: async (_ctx, { input }) => ({ confirm: input.orderId }) })
  .step('ship', { kind: 'retriable', run: async (_ctx, { input }) => ({ ship: input.orderId }) })
  .define();

const order = readOrder();
const runtime = systemRuntime();
const server = createPostgresServer({ runtime, log: silentLogger, serviceUrls: { bench: order.url } });
await server.start();
const db = await server.open('bench', { poolSize: 20 });
const ctx = rootContext({ runtime });
await migrate(db, ctx, [sagaMigrations]);
const engine = createSagaEngine<undefined>({
  db,
  runtime,
  telemetry: silentTelemetry(runtime),
  definitions: [placeOrder],
  concurrency: Math.max(order.concurrency, 64),
});
engine.bind(undefined);
await engine.start();

const run = runtime.ids.uuid();
const figures = await closedLoop(order, async (n) => {
  const id = `${run}-${n}`;
  await engine.sagas.startAlone(ctx, placeOrder, { id, input: { orderId: id } });
  await engine.sagas.wait(ctx, id);
});
await engine.stop();

const { rows } = await db.at(ctx).query<{ done: number; steps: number; other: number }>(
  `SELECT (SELECT count(*)::int FROM souk.saga WHERE status = 'COMPLETED' AND id LIKE $1) AS done,
          (SELECT count(DISTINCT (saga_id, step))::int FROM souk.saga_journal WHERE kind = 2 AND saga_id LIKE $1) AS steps,
          (SELECT count(*)::int FROM souk.saga WHERE status <> 'COMPLETED' AND id LIKE $1) AS other`,
  [`${run}-%`],
);
const { done = 0, steps = 0, other = 0 } = rows[0] ?? {};
report(figures, [
  done !== figures.done && `${figures.done} sagas ended, ${done} are COMPLETED`,
  other !== 0 && `${other} sagas are in another state`,
  steps !== figures.done * 4 && `${steps} steps of ${figures.done} sagas`,
]);
