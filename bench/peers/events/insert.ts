import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { closedLoop, readOrder, report } from '../../lib/engine.ts';

// The least a program can do: one prepared INSERT per event, guarded by the key of the table. No head of the stream, no order of all
// streams, no answer to a repeat.

const order = readOrder();
const pool = new pg.Pool({ connectionString: order.url, max: 20 });
await pool.query(`CREATE TABLE IF NOT EXISTS event (
  position bigint GENERATED ALWAYS AS IDENTITY, stream text NOT NULL, version bigint NOT NULL, event_id uuid NOT NULL UNIQUE,
  type text NOT NULL, data jsonb NOT NULL, metadata jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (stream, version))`);

const run = randomUUID();
const figures = await closedLoop(order, async (n) => {
  await pool.query({
    name: 'append',
    text: 'INSERT INTO event (stream, version, event_id, type, data, metadata) VALUES ($1, $2, $3, $4, $5, $6)',
    values: [
      `order-${run}-${n}`,
      1,
      randomUUID(),
      'OrderPlaced',
      JSON.stringify({ orderId: `${run}-${n}`, total: 1999, currency: 'EUR' }),
      '{}',
    ],
  });
});
const { rows } = await pool.query('SELECT count(*)::int AS events FROM event WHERE stream LIKE $1', [`order-${run}-%`]);
report(figures, [rows[0].events !== figures.done && `${rows[0].events} events after ${figures.done} appends`]);
