import type { Sql, Transaction } from '@souk/store';

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

/** Reads the row for a change in the same transaction. A product that was never counted gets one, of version 0. */
export async function lockStock(tx: Transaction, productId: string): Promise<Stock> {
  await tx.query('insert into stock (product_id, on_hand, version) values ($1, 0, 0) on conflict do nothing', [
    productId,
  ]);
  const { rows } = await tx.query<Stock>(
    'select product_id, on_hand, reserved, version from stock where product_id = $1 for update',
    [productId],
  );
  return rows[0] as Stock;
}

const SET = `
  with moved as (
    insert into stock_move (product_id, delta, reason, ref, at)
    select $1, $2 - on_hand, 'count', $3, $4 from stock where product_id = $1
    returning 1
  )
  update stock set on_hand = $2, version = version + 1, low_announced = false where product_id = $1
  returning product_id, on_hand, reserved, version`;

/** Sets what was counted, in the transaction that locked the row. */
export async function setStock(
  tx: Transaction,
  productId: string,
  onHand: number,
  ref: string,
  now: Date,
): Promise<Stock> {
  const { rows } = await tx.query<Stock>(SET, [productId, onHand, ref, now]);
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
