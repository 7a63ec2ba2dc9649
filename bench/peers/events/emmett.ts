import { randomUUID } from 'node:crypto';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';
import { closedLoop, readOrder, report } from '../../lib/engine.ts';

const order = readOrder();
const pool = new pg.Pool({ connectionString: order.url, max: 20 });
const store = getPostgreSQLEventStore(order.url, { connectionOptions: { pool } });
await store.schema.migrate();

const run = randomUUID();
const figures = await closedLoop(order, async (n) => {
  const result = await store.appendToStream(
    `order-${run}-${n}`,
    [{ type: 'OrderPlaced', data: { orderId: `${run}-${n}`, total: 1999, currency: 'EUR' } }],
    { expectedStreamVersion: 'STREAM_DOES_NOT_EXIST' },
  );
  if (result.nextExpectedStreamVersion !== 1n) throw new Error(`version ${result.nextExpectedStreamVersion}`);
});
const { rows } = await pool.query(
  'SELECT count(*)::int AS events, count(DISTINCT stream_id)::int AS streams FROM emt_messages WHERE stream_id LIKE $1',
  [`order-${run}-%`],
);
report(figures, [
  rows[0].events !== figures.done && `${rows[0].events} events after ${figures.done} appends`,
  rows[0].streams !== figures.done && `${rows[0].streams} streams after ${figures.done} appends`,
]);
