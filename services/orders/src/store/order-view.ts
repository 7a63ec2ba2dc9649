import type { Sql, Transaction } from '@souk/store';
import type { Order } from '../domain/order.ts';

/** Columns that are searched or summed; everything else is in `state`. */
const WRITE_VIEW = `
  insert into order_view (id, user_id, status, payment_status, currency, total_minor, state, version, created_at)
  values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9)
  on conflict (id) do update set
    status = excluded.status, payment_status = excluded.payment_status, state = excluded.state, version = excluded.version`;

/** Brings the view of one order up to date, in the transaction that appended the events. */
export function writeView(tx: Transaction, order: Order): void {
  tx.defer(WRITE_VIEW, [
    order.id,
    order.userId,
    order.status,
    order.paymentStatus,
    order.total.currency,
    order.total.minorUnits,
    JSON.stringify(order),
    order.version,
    order.createdAt,
  ]);
}

export async function findOrder(sql: Sql, id: string): Promise<Order | undefined> {
  const { rows } = await sql.query<{ state: Order }>('select state from order_view where id = $1', [id]);
  return rows[0]?.state;
}

/** Where a page begins: just after this order. */
export interface OrderPosition {
  readonly createdAt: string;
  readonly id: string;
}

/** Before every order: where the first page begins. */
const FIRST: OrderPosition = { createdAt: 'infinity', id: '' };

/** A user's orders, newest first. */
export async function listUserOrders(
  sql: Sql,
  query: { userId: string; status: string | undefined; after: OrderPosition | undefined; limit: number },
): Promise<Order[]> {
  const { createdAt, id } = query.after ?? FIRST;
  const { rows } = await sql.query<{ state: Order }>(
    `select state from order_view
     where user_id = $1 and (created_at, id) < ($2::timestamptz, $3) and ($4::text is null or status = $4)
     order by created_at desc, id desc limit $5`,
    [query.userId, createdAt, id, query.status ?? null, query.limit],
  );
  return rows.map(({ state }) => state);
}

/** Everybody's orders, newest first. */
export async function listOrders(
  sql: Sql,
  query: { status: string | undefined; after: OrderPosition | undefined; limit: number },
): Promise<Order[]> {
  const { createdAt, id } = query.after ?? FIRST;
  const { rows } =
    query.status === undefined
      ? // Ids sort by the time they were made.
        await sql.query<{ state: Order }>('select state from order_view where id < $1 order by id desc limit $2', [
          query.after?.id ?? AFTER_ALL,
          query.limit,
        ])
      : await sql.query<{ state: Order }>(
          `select state from order_view where status = $1 and (created_at, id) < ($2::timestamptz, $3)
           order by created_at desc, id desc limit $4`,
          [query.status, createdAt, id, query.limit],
        );
  return rows.map(({ state }) => state);
}

/** Greater than every id. */
const AFTER_ALL = 'ord_~';

export interface UserFigures {
  readonly status: string;
  readonly currency: string;
  readonly orders: bigint;
  readonly total: string;
  readonly last: Date;
}

/** Counts and sums of a user's orders by status and currency. */
export async function userFigures(sql: Sql, userId: string): Promise<UserFigures[]> {
  const { rows } = await sql.query<UserFigures>(
    `select status, currency, count(*) as orders, sum(total_minor) as total, max(created_at) as last
     from order_view where user_id = $1 group by status, currency`,
    [userId],
  );
  return rows;
}
