import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '@souk/store';
import { testDatabase } from '../../../tests/support/database.ts';
import { CountedSchema } from '../test/events.ts';
import { testService, until } from '../test/service.ts';
import { createInProcessBus, messagingMigrations } from './index.ts';

const ROWS = 50_000;

/** A history: what the inbox knows, an outbox whose consumers are away, letters dealt with long ago, keys that wait. */
const HISTORY = `
  INSERT INTO souk.inbox SELECT 'bazaar', '/souk/x', n::text, now() - n * interval '1 s' FROM generate_series(1, ${ROWS}) n;
  INSERT INTO souk.outbox (id, type, schema, key, time, traceparent, data)
    SELECT gen_random_uuid(), 't', 's', 'k' || n, now(), '', '' FROM generate_series(1, ${ROWS}) n;
  INSERT INTO souk.dead_letter (consumer, source, msg_id, type, key, envelope, reason, error, attempts, dead_at, status)
    SELECT 'bazaar', 's', n::text, 't', 'k' || n % 100, '{"id":"x","source":"s","type":"t","partitionkey":"k","data_base64":""}', 'R', 'e', '[]', now(), CASE WHEN n % 1000 = 0 THEN 'dead' ELSE 'replayed' END
    FROM generate_series(1, ${ROWS}) n;
  INSERT INTO souk.retry (consumer, key, available_at, envelope)
    SELECT 'bazaar', CASE WHEN n % 2 = 0 THEN 'hot' ELSE 'k' || n % 1000 END, 'infinity', '{}' FROM generate_series(1, ${ROWS}) n;`;

const BIG = ['inbox', 'outbox', 'dead_letter', 'retry'];

/** Statements that look at all of something, and are asked for by a person. */
const MAY_SCAN = new Set(['dead-letter-count']);

test('no statement of a running service, or of its operators, reads a whole table, with or without statistics', async (t) => {
  const on = await testDatabase('plans', [messagingMigrations], { poolSize: 4 });
  await on.db.tx(on.ctx, (tx) => tx.script(HISTORY));
  const seen = new Map<string, { readonly text: string; readonly values: readonly unknown[] }>();
  const note = (text: string, values: readonly unknown[] = []) => {
    if (/souk\.(inbox|outbox|dead_letter|retry)/.test(text)) seen.set(text, { text, values });
  };
  const db: Database = {
    ...on.db,
    at: (ctx) => ({
      query: (text, values) => {
        note(text, values);
        return on.db.at(ctx).query(text, values);
      },
    }),
    tx: (ctx, work, options) =>
      on.db.tx(
        ctx,
        (tx) =>
          work({
            ctx: tx.ctx,
            script: (text) => tx.script(text),
            afterCommit: (run) => tx.afterCommit(run),
            defer: (text, values) => {
              note(text, values);
              tx.defer(text, values);
            },
            query: (text, values) => {
              note(text, values);
              return tx.query(text, values);
            },
          }),
        options,
      ),
  };
  const handled: number[] = [];
  const service = testService({
    on: { ...on, db },
    bus: createInProcessBus({ runtime: on.runtime }),
    options: { leaseMs: 1000 },
    subscriptions: [
      {
        schema: CountedSchema,
        ordered: true,
        handle: async (_ctx, _event, delivery) => void (await delivery.once(async () => handled.push(1))),
      },
    ],
  });
  const other = testService({
    on: { ...on, db },
    bus: createInProcessBus({ runtime: on.runtime }),
    options: { leaseMs: 1000 },
  });
  await service.start();
  await db.tx(on.ctx, (tx) => service.publisher.publish(tx, CountedSchema, { key: 'k', number: 1 }));
  await other.start();
  t.after(async () => {
    await Promise.all([service.stop(), other.stop()]);
    await on.close();
  });
  const { deadLetters, control } = service;
  const who = { operator: 'ada', note: 'x' };
  const [letter] = await deadLetters.list(on.ctx);
  await deadLetters.get(on.ctx, letter!.id);
  await deadLetters.groups(on.ctx);
  await deadLetters.redrive(on.ctx, { ids: [letter!.id] }, who);
  const preview = await deadLetters.preview(on.ctx, 'discard', { filter: { key: 'k1' } });
  await deadLetters.discard(on.ctx, { filter: { key: 'k1' } }, { ...who, confirm: preview.confirm });
  await control.state(on.ctx);
  await control.blockedKeys(on.ctx);
  const namesSeen = () => [...seen.keys()].map((text) => /\/\* ([\w-]+) \*\//.exec(text)?.[1] ?? text);
  for (const name of [
    'relay-read',
    'relay-renew',
    'relay-acknowledge',
    'retry-claim',
    'messaging-count',
    'inbox-sweep',
    'inbox',
  ]) {
    await until(name, () => namesSeen().includes(name) || name === 'inbox');
  }
  await Promise.all([service.stop(), other.stop()]);

  const problems: string[] = [];
  for (const statistics of [false, true]) {
    if (statistics) await on.db.tx(on.ctx, (tx) => tx.script('ANALYZE'));
    for (const { text, values } of seen.values()) {
      const name = /\/\* ([\w-]+) \*\//.exec(text)?.[1] ?? text;
      // What the server would make of it for any values.
      const types = values.length === 0 ? '' : `(${values.map(() => 'unknown').join(', ')})`;
      const plan = await on.db.tx(on.ctx, async (tx) => {
        await tx.script(`SET LOCAL plan_cache_mode = force_generic_plan; PREPARE asked ${types} AS ${text};`);
        const nulls = values.length === 0 ? '' : `(${values.map(() => 'NULL').join(', ')})`;
        const { rows } = await tx.query<Record<string, string>>(`EXPLAIN EXECUTE asked ${nulls}`);
        await tx.script('DEALLOCATE asked');
        return rows.map((row) => Object.values(row)[0]).join('\n');
      });
      const scanned = BIG.filter((table) => new RegExp(`Seq Scan on ${table}\\b`).test(plan) && !/Limit/.test(plan));
      if (scanned.length > 0 && !MAY_SCAN.has(name)) problems.push(`${name} (statistics: ${statistics}):\n${plan}`);
    }
  }
  assert.deepEqual(problems, [], problems.join('\n\n'));
});
