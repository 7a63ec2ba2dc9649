import { createPostgresServer } from '@souk/adapter-postgres';
import {
  createEventStore,
  createProjections,
  defineProjection,
  eventStoreMigrations,
  projectionMigrations,
  type RecordedEvent,
} from '@souk/eventstore';
import { rootContext, silentLogger, systemRuntime } from '@souk/kernel';
import { migrate } from '@souk/store';
import { silentTelemetry } from '@souk/telemetry';

export interface ProjectionOrder {
  readonly url: string;
  readonly partitions: number;
  /** Events that are there when it is done; for a follower under load: what the writer will have written is told by `stopAtMs`. */
  readonly events: number;
  /** Wall clock milliseconds at which the writer stops; 0: follow until all events are applied. */
  readonly stopAtMs: number;
}

export async function open(url: string) {
  const runtime = systemRuntime();
  const server = createPostgresServer({ runtime, log: silentLogger, serviceUrls: { bench: url } });
  await server.start();
  const db = await server.open('bench', { poolSize: 20 });
  const ctx = rootContext({ runtime });
  await migrate(db, ctx, [eventStoreMigrations, projectionMigrations]);
  return { runtime, db, ctx, store: createEventStore({ runtime }) };
}

const ADD = (table: string) => `
  INSERT INTO ${table} AS t (stream, events, total)
  SELECT stream, count(*), sum(amount) FROM unnest($1::text[], $2::int8[]) AS e (stream, amount) GROUP BY stream
  ON CONFLICT (stream) DO UPDATE SET events = t.events + excluded.events, total = t.total + excluded.total`;
const STATEMENTS = new Map<string, string>();

/** Counts the events of each stream and adds their amounts up: what is applied twice, or not, shows. */
export const sums = (partitions: number, onApplied: (events: readonly RecordedEvent[]) => void = () => {}) =>
  defineProjection({
    name: `sums${partitions}`,
    version: 1,
    partitions,
    tables: [`sums${partitions}`],
    create: (table) =>
      `CREATE TABLE ${table(`sums${partitions}`)} (stream text COLLATE "C" PRIMARY KEY, events int8 NOT NULL, total int8 NOT NULL) WITH (fillfactor = 70);`,
    apply: async (tx, events, table) => {
      const name = table(`sums${partitions}`);
      const text = STATEMENTS.get(name) ?? ADD(name);
      STATEMENTS.set(name, text);
      await tx.query(text, [
        events.map(({ stream }) => stream),
        events.map(({ data }) => BigInt((data as { amount: number }).amount)),
      ]);
      tx.afterCommit(() => onApplied(events));
    },
  });

export const projectionsOf = (opened: Awaited<ReturnType<typeof open>>, definition: ReturnType<typeof sums>) =>
  createProjections({
    db: opened.db,
    store: opened.store,
    runtime: opened.runtime,
    telemetry: silentTelemetry(opened.runtime, 'bench'),
    projections: [definition],
    subscriptions: [],
  });
