import { defineProjection, type RecordedEvent, type TableName } from '@souk/eventstore';
import type { Sql, Transaction } from '@souk/store';
import type { OrderEvent } from '../domain/order.ts';
import {
  COUNTED_AS,
  type CountedStatus,
  exchanged,
  figuresOf,
  NOTHING,
  type UserFigures,
} from '../domain/user-figures.ts';
import { orderErrors } from '../errors.ts';

const STATS = 'user_stats';
/** What later events of an order do not say again: whose it is, and of how much. */
const ORDERS = 'user_stats_order';

type CountedEvent = Extract<OrderEvent, { type: keyof typeof COUNTED_AS }>;

/** How much users have ordered: follows the streams of orders. */
export const userStats = defineProjection({
  name: 'user-stats',
  version: 1,
  categories: ['order'],
  types: Object.keys(COUNTED_AS),
  tables: [STATS, ORDERS],
  create: (table) => `
    create table ${table(STATS)} (
      user_id text not null,
      currency text not null,
      orders int not null,
      confirmed int not null,
      rejected int not null,
      cancelled int not null,
      spent_minor numeric(20) not null,
      last_order_at timestamptz,
      primary key (user_id, currency)
    ) with (fillfactor = 80);
    create table ${table(ORDERS)} (
      stream text primary key,
      user_id text not null,
      currency text not null,
      total_minor numeric(20) not null,
      status text not null
    ) with (fillfactor = 80);`,
  apply,
});

interface CountedOrder {
  readonly stream: string;
  readonly userId: string;
  readonly currency: string;
  /** Minor units. */
  readonly total: string;
  readonly status: CountedStatus;
}

/** What a batch does to one row of the figures. */
interface Change {
  readonly userId: string;
  readonly currency: string;
  readonly figures: UserFigures;
  /** RFC 3339, of the last order that was placed. */
  readonly lastOrderAt: string | null;
}

/** @throws ORDERS_NEVER_PLACED */
async function apply(tx: Transaction, events: readonly RecordedEvent[], table: TableName): Promise<void> {
  const orders = await findCounted(tx, events, table);
  const changed = new Set<string>();
  const changes = new Map<string, Change>();
  for (const recorded of events) {
    const { stream, type, version } = recorded;
    const event = recorded.data as CountedEvent;
    const before = orders.get(stream);
    const after = counted(stream, event, before);
    if (after === undefined) throw orderErrors.NEVER_PLACED({ stream, type, version });
    orders.set(stream, after);
    changed.add(stream);
    const { userId, currency } = after;
    const total = BigInt(after.total);
    const key = `${userId} ${currency}`;
    const change = changes.get(key) ?? { userId, currency, figures: NOTHING, lastOrderAt: null };
    const figures = exchanged(change.figures, figuresOf(before?.status, total), figuresOf(after.status, total));
    changes.set(key, { ...change, figures, lastOrderAt: placedAt(event, change.lastOrderAt) });
  }
  writeCounted(
    tx,
    [...changed].flatMap((stream) => orders.get(stream) ?? []),
    table,
  );
  writeChanges(tx, [...changes.values()], table);
}

const placedAt = (event: CountedEvent, before: string | null): string | null =>
  event.type === 'OrderPlaced' && (before === null || event.at > before) ? event.at : before;

function counted(stream: string, event: CountedEvent, before: CountedOrder | undefined): CountedOrder | undefined {
  const status = COUNTED_AS[event.type];
  if (event.type !== 'OrderPlaced') return before && { ...before, status };
  const { userId, total } = event;
  return { stream, userId, currency: total.currency, total: total.minorUnits, status };
}

async function findCounted(
  tx: Transaction,
  events: readonly RecordedEvent[],
  table: TableName,
): Promise<Map<string, CountedOrder>> {
  const placed = new Set(events.filter(({ type }) => type === 'OrderPlaced').map(({ stream }) => stream));
  const older = [...new Set(events.map(({ stream }) => stream))].filter((stream) => !placed.has(stream));
  if (older.length === 0) return new Map();
  const { rows } = await tx.query<CountedOrder>(
    `select stream, user_id as "userId", currency, total_minor::text as total, status
     from ${table(ORDERS)} where stream = any($1)`,
    [older],
  );
  return new Map(rows.map((row) => [row.stream, row]));
}

function writeCounted(tx: Transaction, orders: readonly CountedOrder[], table: TableName): void {
  tx.defer(
    `insert into ${table(ORDERS)} (stream, user_id, currency, total_minor, status)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[])
     on conflict (stream) do update set status = excluded.status`,
    [
      orders.map(({ stream }) => stream),
      orders.map(({ userId }) => userId),
      orders.map(({ currency }) => currency),
      orders.map(({ total }) => total),
      orders.map(({ status }) => status),
    ],
  );
}

function writeChanges(tx: Transaction, changes: readonly Change[], table: TableName): void {
  tx.defer(
    `insert into ${table(STATS)} as s (user_id, currency, orders, confirmed, rejected, cancelled, spent_minor, last_order_at)
     select * from unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::numeric[], $8::timestamptz[])
     on conflict (user_id, currency) do update set
       orders = s.orders + excluded.orders, confirmed = s.confirmed + excluded.confirmed,
       rejected = s.rejected + excluded.rejected, cancelled = s.cancelled + excluded.cancelled,
       spent_minor = s.spent_minor + excluded.spent_minor,
       last_order_at = greatest(s.last_order_at, excluded.last_order_at)`,
    [
      changes.map(({ userId }) => userId),
      changes.map(({ currency }) => currency),
      changes.map(({ figures }) => figures.orders),
      changes.map(({ figures }) => figures.confirmed),
      changes.map(({ figures }) => figures.rejected),
      changes.map(({ figures }) => figures.cancelled),
      changes.map(({ figures }) => figures.spent.toString()),
      changes.map(({ lastOrderAt }) => lastOrderAt),
    ],
  );
}

/** A user's figures in one currency. */
export interface UserStatsRow extends Omit<UserFigures, 'spent'> {
  readonly currency: string;
  /** Minor units. */
  readonly spent: string;
  readonly lastOrderAt: Date;
}

/** One row per currency, sorted by it. */
export async function findUserStats(sql: Sql, userId: string): Promise<UserStatsRow[]> {
  const { rows } = await sql.query<UserStatsRow>(
    `select currency, orders, confirmed, rejected, cancelled, spent_minor::text as spent, last_order_at as "lastOrderAt"
     from user_stats where user_id = $1 order by currency`,
    [userId],
  );
  return rows;
}
