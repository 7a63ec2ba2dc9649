// Follows events with a projection until all are applied, and compares the view with the events.

import { performance } from 'node:perf_hooks';
import { percentile } from '../../lib/result.ts';
import { open, type ProjectionOrder, projectionsOf, sums } from './common.ts';

const order = JSON.parse(process.argv[2] as string) as ProjectionOrder;
const keepAlive = setInterval(() => {}, 1000);
const opened = await open(order.url);
const { db, ctx } = opened;

let applied = 0;
let lastMs = 0;
const lags: number[] = [];
const definition = sums(order.partitions, (events) => {
  applied += events.length;
  lastMs = performance.now();
  const nowMs = performance.timeOrigin + lastMs;
  for (const { data } of events) {
    const { atMs } = data as { atMs?: number };
    if (atMs !== undefined && order.stopAtMs > 0) lags.push(nowMs - atMs);
  }
});
const projections = projectionsOf(opened, definition);
await projections.prepare(ctx);
const countOf = async (): Promise<number> => {
  const { rows } = await db.at(ctx).query<{ n: number }>('SELECT count(*)::int AS n FROM souk.es_event');
  return rows[0]?.n ?? 0;
};
const beganMs = performance.now();
await projections.start();
if (order.stopAtMs > 0) await new Promise((resolve) => setTimeout(resolve, order.stopAtMs - Date.now()));
const stoppedMs = performance.now();
const wanted = await countOf();
while (applied < wanted) await new Promise((resolve) => setTimeout(resolve, 20));
const { rows } = await db.at(ctx).query<{ wrong: number }>(
  `SELECT count(*)::int AS wrong FROM
     (SELECT stream, count(*) AS events, sum((data->>'amount')::int8) AS total FROM souk.es_event GROUP BY stream) e
     FULL JOIN sums${order.partitions} s USING (stream)
    WHERE e.events IS DISTINCT FROM s.events OR e.total IS DISTINCT FROM s.total`,
);
await projections.stop();
clearInterval(keepAlive);
const line = JSON.stringify({
  applied,
  perSecond: (applied * 1000) / (lastMs - beganMs),
  lagP50Ms: percentile(lags, 0.5),
  lagP99Ms: percentile(lags, 0.99),
  caughtUpMs: Math.max(0, lastMs - stoppedMs),
  violations: [
    ...((rows[0]?.wrong ?? 0) > 0 ? [`${rows[0]?.wrong} streams differ from their events`] : []),
    ...(applied === wanted ? [] : [`${applied} applied of ${wanted}`]),
  ],
});
process.stdout.write(`${line}\n`, () => process.exit(0));
