import { createPostgresServer } from '@souk/adapter-postgres';
import { createEventStore, eventStoreMigrations } from '@souk/eventstore';
import { rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { migrate } from '@souk/store';
import { closedLoop, readOrder, report } from '../../lib/engine.ts';

const order = readOrder();
const runtime = systemRuntime();
const server = createPostgresServer({ runtime, log: silentLogger, serviceUrls: { bench: order.url } });
await server.start();
const db = await server.open('bench', { poolSize: 20 });
const ctx = rootContext({ runtime });
await migrate(db, ctx, [eventStoreMigrations]);
const store = createEventStore({ runtime });

const run = runtime.ids.uuid();
const figures = await closedLoop(order, async (n) => {
  await store.appendAlone(db, ctx, {
    stream: `order-${run}-${n}`,
    expected: 'none',
    events: [{ type: 'OrderPlaced', data: { orderId: `${run}-${n}`, total: 1999, currency: 'EUR' } }],
  });
});
const { rows } = await db.at(ctx).query<{ events: number; streams: number }>(
  `SELECT (SELECT count(*)::int FROM souk.es_event WHERE stream LIKE $1) AS events,
          (SELECT count(*)::int FROM souk.es_stream WHERE stream LIKE $1 AND version = 1) AS streams`,
  [`order-${run}-%`],
);
const { events = 0, streams = 0 } = rows[0] ?? {};
report(figures, [
  events !== figures.done && `${events} events after ${figures.done} appends`,
  streams !== figures.done && `${streams} streams after ${figures.done} appends`,
]);
