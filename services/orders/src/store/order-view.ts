import type { Sql, Transaction } from '@souk/store';
import type { Order } from '../domain/order.ts';

/** An order with the place of its last event among all events: whoever has seen it knows what others have to show, too. */
export interface PositionedOrder extends Order {
  /** Empty when the event is older than the column. */
  readonly position: string;
}

/** Columns that are searched; everything else is in `state`. */
const WRITE_VIEW = `
  insert into order_view (id, user_id, status, payment_status, currency, total_minor, state, version, created_at, position)
  values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10)
  on conflict (id) do update set
    status = excluded.status, payment_status = excluded.payment_status, state = excluded.state, version = excluded.version,
    position = excluded.position`;

/** Brings the view of one order up to date, in the transaction that appended the events. */
export function writeView(tx: Transaction, { position, ...order }: PositionedOrder): void {
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
    position,
  ]);
}

interface ViewRow {
  readonly state: Order;
  readonly position: string | null;
}

const positioned = ({ state, position }: ViewRow): PositionedOrder => ({ ...state, position: position ?? '' });

export async function findOrder(sql: Sql, id: string): Promise<PositionedOrder | undefined> {
  const { rows } = await sql.query<ViewRow>('select state, position from order_view where id = $1', [id]);
  return rows[0] && positioned(rows[0]);
}

/** How far orders have come. */
export async function findVersions(
  sql: Sql,
  ids: readonly string[],
): Promise<readonly { readonly id: string; readonly version: number }[]> {
  const { rows } = await sql.query<{ id: string; version: number }>(
    '/* order-versions */ select id, version from order_view where id = any($1::text[])',
    [ids],
  );
  return rows;
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
): Promise<PositionedOrder[]> {
  const { createdAt, id } = query.after ?? FIRST;
  const { rows } = await sql.query<ViewRow>(
    `select state, position from order_view
     where user_id = $1 and (created_at, id) < ($2::timestamptz, $3) and ($4::text is null or status = $4)
     order by created_at desc, id desc limit $5`,
    [query.userId, createdAt, id, query.status ?? null, query.limit],
  );
  return rows.map(positioned);
}

/** Everybody's orders, newest first. */
export async function listOrders(
  sql: Sql,
  query: { status: string | undefined; after: OrderPosition | undefined; limit: number },
): Promise<PositionedOrder[]> {
  const { createdAt, id } = query.after ?? FIRST;
  const { rows } =
    query.status === undefined
      ? // Ids sort by the time they were made.
        await sql.query<ViewRow>('select state, position from order_view where id < $1 order by id desc limit $2', [
          query.after?.id ?? AFTER_ALL,
          query.limit,
        ])
      : await sql.query<ViewRow>(
          `select state, position from order_view where status = $1 and (created_at, id) < ($2::timestamptz, $3)
           order by created_at desc, id desc limit $4`,
          [query.status, createdAt, id, query.limit],
        );
  return rows.map(positioned);
}

/** Greater than every id. */
const AFTER_ALL = 'ord_~';
