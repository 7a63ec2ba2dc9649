import type { Sql } from '@souk/store';

export interface Stock {
  readonly product_id: string;
  readonly on_hand: number;
  readonly reserved: number;
  readonly version: number;
}

export async function findStock(sql: Sql, productId: string): Promise<Stock | undefined> {
  const { rows } = await sql.query<Stock>(
    'select product_id, on_hand, reserved, version from stock where product_id = $1',
    [productId],
  );
  return rows[0];
}

/** Reads the row for a change in the same transaction. */
export async function lockStock(sql: Sql, productId: string): Promise<Stock | undefined> {
  const { rows } = await sql.query<Stock>(
    'select product_id, on_hand, reserved, version from stock where product_id = $1 for update',
    [productId],
  );
  return rows[0];
}

const SET = `
  with before as (select on_hand from stock where product_id = $1),
  moved as (
    insert into stock_move (product_id, delta, reason, ref, at)
    select $1, $2 - coalesce((select on_hand from before), 0), 'count', $3, $4
    returning 1
  )
  insert into stock (product_id, on_hand) values ($1, $2)
  on conflict (product_id) do update set on_hand = excluded.on_hand, version = stock.version + 1, low_announced = false
  returning product_id, on_hand, reserved, version`;

/** Sets what was counted. Call it on a locked row, or on none. */
export async function setStock(sql: Sql, productId: string, onHand: number, ref: string, now: Date): Promise<Stock> {
  const { rows } = await sql.query<Stock>(SET, [productId, onHand, ref, now]);
  return rows[0] as Stock;
}

const IMPORT = `
  with made as (
    insert into stock (product_id, on_hand)
    select * from unnest($1::text[], $2::int[]) on conflict (product_id) do nothing
    returning product_id, on_hand
  ),
  moved as (
    insert into stock_move (product_id, delta, reason, ref, at)
    select product_id, on_hand, 'import', $3, $4 from made returning 1
  )
  select count(*)::int as imported from made`;

/** First stock of many products; products that have a record are left alone. @returns how many were new */
export async function importStock(
  sql: Sql,
  columns: { productIds: string[]; onHand: number[] },
  ref: string,
  now: Date,
): Promise<number> {
  const { rows } = await sql.query<{ imported: number }>(IMPORT, [columns.productIds, columns.onHand, ref, now]);
  return rows[0]?.imported ?? 0;
}
