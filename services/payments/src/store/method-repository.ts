import type { Sql } from '@souk/store';

export interface PaymentMethodRow {
  readonly id: string;
  readonly user_id: string;
  readonly provider_reference: string;
  readonly brand: string;
  readonly last4: string;
  readonly created_at: Date;
}

const ADD = '/* add-payment-method */ insert into payment_method values ($1, $2, $3, $4, $5, $6) returning *';

export async function addMethod(sql: Sql, method: PaymentMethodRow): Promise<PaymentMethodRow> {
  const { id, user_id, provider_reference, brand, last4, created_at } = method;
  const { rows } = await sql.query<PaymentMethodRow>(ADD, [id, user_id, provider_reference, brand, last4, created_at]);
  return rows[0] ?? method;
}

const LIST = `/* list-payment-methods */
  select * from payment_method where user_id = $1 and id < $2 order by id desc limit $3`;

/** Newest first, from below `before`. */
export async function listMethods(
  sql: Sql,
  userId: string,
  before: string,
  limit: number,
): Promise<PaymentMethodRow[]> {
  return (await sql.query<PaymentMethodRow>(LIST, [userId, before, limit])).rows;
}

const FORGET = '/* forget-payment-methods */ delete from payment_method where user_id = $1';

export async function forgetMethods(sql: Sql, userId: string): Promise<void> {
  await sql.query(FORGET, [userId]);
}
