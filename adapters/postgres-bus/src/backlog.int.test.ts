import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Database } from '@souk/store';
import { envelopeOf, hear, startServer, TYPE, until, type World } from '../test/bus-world.ts';
import { createPostgresBus } from './index.ts';

const server = await startServer();
after(() => server.stop());

const HOT = 100_000;
const OTHERS = 100_000;

/** A queue as it is after a long outage of its group. */
const BACKLOG = `
  INSERT INTO souk.bus_event (group_id, slot, id, source, type, schema, key, time, traceparent, data)
  SELECT (SELECT id FROM souk.bus_group), (hashtextextended('/souk/old#' || key, 0) & 31)::smallint, n::text, '/souk/old', '${TYPE}', 's', key,
    '', '', '\\x00000000'
  FROM (SELECT n, CASE WHEN n <= ${HOT} THEN 'hot' ELSE 'key-' || n % 5000 END AS key FROM generate_series(1, ${HOT + OTHERS}) n) e`;

interface Reads {
  readonly scans: number;
  readonly rows: number;
}

/** How often the whole queue was read, and how many rows by indexes. */
async function readsOf(world: World): Promise<Reads> {
  const { rows } = await world.db.at(world.ctx).query<Reads>(`
    SELECT t.seq_scan::int AS scans, (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)::int AS rows
    FROM pg_stat_user_tables t WHERE t.schemaname = 'souk' AND t.relname = 'bus_event'`);
  return rows[0] ?? { scans: 0, rows: 0 };
}

for (const statistics of ['without statistics', 'with statistics']) {
  test(`a queue of two hundred thousand, half of it one key, is read as a short one: ${statistics}`, async (t) => {
    const world = await server.world();
    t.after(() => world.close());
    const { runtime } = world;
    const took: number[] = [];
    const timed = (db: Database): Database => ({
      ...db,
      at: (ctx) => ({
        query: async (text, values) => {
          const beganMs = runtime.clock.monotonicMs();
          try {
            return await db.at(ctx).query(text, values);
          } finally {
            if (/bus-(claim|acknowledge|publish|take|renew)/.test(text))
              took.push(runtime.clock.monotonicMs() - beganMs);
          }
        },
      }),
    });
    const { db } = world.client();
    const keys = new Set<string>();
    let heard = 0;
    const start = async () => {
      const bus = createPostgresBus({ db: timed(db), runtime, leaseMs: 1200 });
      bus.subscribe(
        hear(async ({ envelope }) => {
          heard++;
          keys.add(envelope.key);
        }),
      );
      await bus.start();
      return bus;
    };
    // Plans are made while the queue is empty, on the connections that will be used.
    const first = await start();
    for (let number = 0; number < 100; number++) await first.publish([envelopeOf(runtime, `key-${number}`, number)]);
    await until(runtime, 'the first', () => heard === 100);
    await first.close();
    await world.db.tx(world.ctx, (tx) => tx.script(BACKLOG));
    if (statistics === 'with statistics') await world.db.tx(world.ctx, (tx) => tx.script('ANALYZE'));
    [took.length, heard] = [0, 0];
    const bus = await start();
    await bus.publish([envelopeOf(runtime, 'late', 0)]);
    await until(runtime, 'two thousand', () => heard >= 2000);
    // A second process takes its share, and the first gives it up.
    const other = world.client();
    other.bus.subscribe(hear(async () => {}));
    await other.bus.start();
    await until(runtime, 'six thousand', () => heard >= 6000);
    await Promise.all([bus.close(), other.bus.close()]);
    // A session tells what it has counted when it ends.
    await Promise.all([db.close(), other.db.close()]);
    const median = took.toSorted((a, b) => a - b)[took.length >> 1] ?? 0;
    t.diagnostic(
      `${took.length} statements, median ${median.toFixed(1)} ms, longest ${Math.max(...took).toFixed(1)} ms`,
    );
    assert.ok(keys.size > 200, 'the hot key kept the others from being heard');
    const { scans, rows } = await readsOf(world);
    // Two of the server itself, for the indexes of a new table.
    assert.ok(scans <= 2, `the whole queue was read ${scans} times`);
    const perEvent = rows / heard;
    t.diagnostic(`${perEvent.toFixed(0)} rows read for each event`);
    assert.ok(perEvent < 60, `${perEvent} rows read for each event`);
  });
}
