// A store whose streams count amounts, and a projection that adds them up.

import type { TestContext } from 'node:test';
import { type Logger, type Runtime, silentLogger } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import { silentTelemetry } from '@souk/telemetry';
import { testDatabase } from '../../../tests/support/database.ts';
import { openDatabase } from '../../../tests/support/open-database.ts';
import {
  createEventStore,
  createProjections,
  defineProjection,
  type EventSubscription,
  eventStoreMigrations,
  type ProjectionInit,
  type ProjectionOptions,
  type Projections,
  projectionMigrations,
  type RecordedEvent,
  type TableName,
} from '../src/index.ts';

export interface Amount {
  readonly amount: number;
}

/** Fast enough for tests; the lease is as long as in production. */
export const testOptions: Partial<ProjectionOptions> = { coalesceMs: 5, firstPauseMs: 5, longestPauseMs: 50 };

const ADD = (table: string) => `
  INSERT INTO ${table} (stream, total, events, versions) VALUES ($1, $2, 1, $3)
  ON CONFLICT (stream) DO UPDATE SET total = ${table}.total + excluded.total, events = ${table}.events + 1,
    versions = ${table}.versions || excluded.versions`;
const STATEMENTS = new Map(['total', 'total__next'].map((table) => [table, ADD(table)]));

export async function addUp(tx: Transaction, events: readonly RecordedEvent[], table: TableName): Promise<void> {
  for (const { stream, version, data } of events) {
    const text = STATEMENTS.get(table('total')) as string;
    await tx.query(text, [stream.slice('count-'.length), (data as Amount).amount, [version]]);
  }
}

/** Takes its time in the middle of a transaction. */
export const slowly =
  (runtime: Runtime, ms = 30) =>
  async (tx: Transaction, events: readonly RecordedEvent[], table: TableName): Promise<void> => {
    await addUp(tx, events, table);
    await runtime.timers.sleep(ms);
  };

/** Not idempotent on purpose: what is applied twice shows. */
export const totals = (init: Partial<ProjectionInit> = {}) =>
  defineProjection({
    name: 'totals',
    version: 1,
    categories: ['count'],
    tables: ['total'],
    create: (table) =>
      `CREATE TABLE ${table('total')} (stream text PRIMARY KEY, total bigint NOT NULL, events int NOT NULL, versions int[] NOT NULL);`,
    apply: addUp,
    ...init,
  });

export interface StartOptions {
  readonly projection?: Partial<ProjectionInit>;
  readonly subscriptions?: readonly EventSubscription<never>[];
  readonly options?: Partial<ProjectionOptions>;
  readonly log?: Logger;
  /** As another process: with connections of its own, and without hearing what this one appends. */
  readonly elsewhere?: boolean;
}

/** Gone when the test ends, however it does. */
export async function projectionWorld(t: TestContext) {
  const on = await testDatabase('projections', [eventStoreMigrations, projectionMigrations]);
  const { db, ctx, runtime } = on;
  const store = createEventStore({ runtime });
  const started: Projections[] = [];
  const closing: (() => Promise<void>)[] = [];
  const asked = new Map<string, number>();
  const rows = async <TRow>(sql: string, values: readonly unknown[] = []): Promise<TRow[]> =>
    (await db.at(ctx).query<TRow>(sql, values)).rows;

  t.after(async () => {
    await Promise.all(started.map((one) => one.stop()));
    await Promise.all(closing.map((close) => close()));
    await on.close();
  });

  return {
    ...on,
    store,
    /** How often processes elsewhere have sent statements, by their names. */
    asked: asked as ReadonlyMap<string, number>,
    rows,
    add: (name: string, ...amounts: readonly number[]) =>
      store.appendAlone(db, ctx, {
        stream: `count-${name}`,
        expected: 'any',
        events: amounts.map((amount) => ({ type: 'Added', data: { amount } })),
      }),
    /** Projections as one process has them. */
    start: async ({ projection, subscriptions = [], options, log = silentLogger, elsewhere }: StartOptions = {}) => {
      const other = elsewhere === true ? await openDatabase(on.url) : undefined;
      if (other !== undefined) closing.push(other.close);
      const projections = createProjections({
        db: other === undefined ? db : counting(other.db, asked),
        store: other === undefined ? store : createEventStore({ runtime }),
        runtime,
        telemetry: { ...silentTelemetry(runtime, 'test'), log },
        projections: [totals(projection)],
        subscriptions,
        options: { ...testOptions, ...options },
      });
      await projections.prepare(ctx);
      await projections.start();
      started.push(projections);
      return projections;
    },
    totals: async (): Promise<Record<string, number>> =>
      Object.fromEntries(
        (await rows<{ stream: string; total: bigint }>('SELECT stream, total FROM total ORDER BY stream')).map(
          ({ stream, total }) => [stream, Number(total)],
        ),
      ),
    /** What a fold over all events gives. */
    folded: async (): Promise<Record<string, number>> => {
      const sums: Record<string, number> = {};
      for (const { stream, data } of (await store.readAll(db.at(ctx), { limit: 10_000, upTo: 'committed' })).events) {
        const name = stream.slice('count-'.length);
        sums[name] = (sums[name] ?? 0) + (data as Amount).amount;
      }
      return sums;
    },
  };
}

/** Counts single statements by the name in their first comment. */
const counting = (db: Database, asked: Map<string, number>): Database => ({
  ...db,
  at: (ctx) => {
    const sql = db.at(ctx);
    return {
      query: (text, values) => {
        const name = /\/\* (\S+) \*\//.exec(text)?.[1] ?? 'unnamed';
        asked.set(name, (asked.get(name) ?? 0) + 1);
        return sql.query(text, values);
      },
    };
  },
});

export type ProjectionWorld = Awaited<ReturnType<typeof projectionWorld>>;

/** Looks again and again, without a fixed wait. */
export async function until(world: ProjectionWorld, what: string, holds: () => Promise<boolean>, withinMs = 15_000) {
  const endMs = world.runtime.clock.monotonicMs() + withinMs;
  while (!(await holds())) {
    if (world.runtime.clock.monotonicMs() > endMs) {
      const seen = [
        await world.rows('SELECT * FROM souk.es_generation'),
        await world.rows('SELECT * FROM souk.es_checkpoint'),
        await world.rows('SELECT *, clock_timestamp() AS now FROM souk.es_member'),
      ];
      const text = JSON.stringify(seen, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
      throw new Error(`not within ${withinMs} ms: ${what}: ${text}`);
    }
    await world.runtime.timers.sleep(10);
  }
}
