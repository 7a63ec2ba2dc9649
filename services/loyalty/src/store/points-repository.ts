/*
 * The points of orders.
 *
 *   (none) --award--> EARNED --reverse--> REVERSED
 *      +-----------reverse--------------> REVERSED, of nothing: a late award finds it and does nothing
 *
 * P1 an order earns at most once and is reversed at most once.  P2 balance is the sum of a user's entries.  P3 each arrow is one statement.
 * Accounts are changed by upsert: the award that made one may commit while the statement waits for it, too late for its snapshot.
 */
import type { Sql } from '@souk/store';

export type EntryReason = 'EARNED' | 'REVERSED' | 'ADJUSTED';

export interface PointsEntry {
  readonly id: bigint;
  readonly order_id: string;
  readonly points: number;
  readonly reason: EntryReason;
  readonly at: Date;
}

/** What a statement changed. `points` is how many were given, or taken. */
export interface PointsChange {
  readonly user_id: string;
  readonly points: number;
  readonly balance: number;
}

const AWARD = `
  with earned as (
    insert into order_points (order_id, user_id, points, state) values ($1, $2, $3, 'EARNED')
    on conflict (order_id) do nothing returning user_id, points
  ),
  entry as (
    insert into points_entry (user_id, order_id, points, reason, at) select user_id, $1, points, 'EARNED', $4 from earned
    returning 1
  )
  insert into points_account as a (user_id, balance) select user_id, points from earned
  on conflict (user_id) do update set balance = a.balance + excluded.balance
  returning user_id, $3::int as points, balance`;

/** @returns undefined when the order has earned or was reversed before */
export async function award(
  sql: Sql,
  order: { orderId: string; userId: string; points: number },
  now: Date,
): Promise<PointsChange | undefined> {
  const { rows } = await sql.query<PointsChange>(AWARD, [order.orderId, order.userId, order.points, now]);
  return rows[0];
}

const REVERSE = `
  with reversed as (
    insert into order_points as o (order_id, points, state) values ($1, 0, 'REVERSED')
    on conflict (order_id) do update set state = 'REVERSED' where o.state = 'EARNED'
    returning user_id, points
  ),
  entry as (
    insert into points_entry (user_id, order_id, points, reason, at)
    select user_id, $1, -points, 'REVERSED', $2 from reversed where user_id is not null
    returning 1
  )
  insert into points_account as a (user_id, balance) select user_id, -points from reversed where user_id is not null
  on conflict (user_id) do update set balance = a.balance + excluded.balance
  returning user_id, (select points from reversed) as points, balance`;

/** Takes the points of an order back; a balance may become negative. @returns undefined when there was nothing to take */
export async function reverse(sql: Sql, orderId: string, now: Date): Promise<PointsChange | undefined> {
  const { rows } = await sql.query<PointsChange>(REVERSE, [orderId, now]);
  return rows[0];
}

export async function findBalance(sql: Sql, userId: string): Promise<number> {
  const { rows } = await sql.query<{ balance: number }>('select balance from points_account where user_id = $1', [
    userId,
  ]);
  return rows[0]?.balance ?? 0;
}

/** What is known of an order: its points are 0 once they were taken back. */
export async function findOrderPoints(sql: Sql, orderId: string): Promise<{ userId: string; points: number }> {
  const { rows } = await sql.query<{ user_id: string | null; points: number }>(
    `select user_id, case state when 'EARNED' then points else 0 end as points from order_points where order_id = $1`,
    [orderId],
  );
  return { userId: rows[0]?.user_id ?? '', points: rows[0]?.points ?? 0 };
}

/** The largest id there can be. */
const AFTER_ALL = '9223372036854775807';

/** A user's entries, newest first. @param before Only entries with a smaller id. */
export async function listEntries(
  sql: Sql,
  query: { userId: string; before: string | undefined; limit: number },
): Promise<PointsEntry[]> {
  const { rows } = await sql.query<PointsEntry>(
    `select id, order_id, points, reason, at from points_entry
     where user_id = $1 and id < $2 order by id desc limit $3`,
    [query.userId, query.before ?? AFTER_ALL, query.limit],
  );
  return rows;
}
