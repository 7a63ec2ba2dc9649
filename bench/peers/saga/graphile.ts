import { randomUUID } from 'node:crypto';
import { Logger, makeWorkerUtils, run as runWorker } from 'graphile-worker';
import pg from 'pg';
import { closedLoop, readOrder, report } from '../../lib/engine.ts';

// A queue, not an engine: the chain is four jobs, each of which adds the next. What it knows of a saga ends with its last job.

const STEPS = 4;

const order = readOrder();
const pgPool = new pg.Pool({ connectionString: order.url, max: 20 });
const waiting = new Map<string, () => void>();
let steps = 0;
const logger = new Logger(() => () => {});
const runner = await runWorker({
  pgPool,
  concurrency: Math.max(order.concurrency, 4),
  pollInterval: 200,
  noHandleSignals: true,
  logger,
  preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0 } },
  taskList: {
    step: async (payload, helpers) => {
      const { id, n } = payload as { id: string; n: number };
      steps++;
      if (n < STEPS) await helpers.addJob('step', { id, n: n + 1 });
      else waiting.get(id)?.();
    },
  },
});
const utils = await makeWorkerUtils({ pgPool, logger });

const run = randomUUID();
const figures = await closedLoop(order, async (n) => {
  const id = `${run}-${n}`;
  const { promise, resolve } = Promise.withResolvers<void>();
  waiting.set(id, resolve);
  await utils.addJob('step', { id, n: 1 });
  await promise;
  waiting.delete(id);
});
await runner.stop();
const { rows } = await pgPool.query('SELECT count(*)::int AS left FROM graphile_worker.jobs');
report(figures, [
  steps !== figures.done * STEPS && `${steps} jobs ran for ${figures.done} chains`,
  rows[0].left !== 0 && `${rows[0].left} jobs are left`,
]);
