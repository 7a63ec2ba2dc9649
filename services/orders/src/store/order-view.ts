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

const AFTER = '($2::timestamptz is null or (created_at, id) < ($2, $3))';

/** A user's orders, newest first. */
export async function listUserOrders(
  sql: Sql,
  query: { userId: string; status: string | undefined; after: OrderPosition | undefined; limit: number },
): Promise<Order[]> {
  const { rows } = await sql.query<{ state: Order }>(
    `select state from order_view where user_id = $1 and ${AFTER} and ($4::text is null or status = $4)
     order by created_at desc, id desc limit $5`,
    [query.userId, query.after?.createdAt ?? null, query.after?.id ?? null, query.status ?? null, query.limit],
  );
  return rows.map(({ state }) => state);
}

/** Everybody's orders, newest first. */
export async function listOrders(
  sql: Sql,
  query: { status: string | undefined; after: OrderPosition | undefined; limit: number },
): Promise<Order[]> {
  const { rows } = await sql.query<{ state: Order }>(
    `select state from order_view where ($1::text is null or status = $1) and ${AFTER}
     order by created_at desc, id desc limit $4`,
    [query.status ?? null, query.after?.createdAt ?? null, query.after?.id ?? null, query.limit],
  );
  return rows.map(({ state }) => state);
}

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
