import type { Sql } from '@souk/store';

export interface LedgerRow {
  readonly sequence: bigint;
  readonly transaction_id: string;
  readonly payment_id: string;
  readonly order_id: string;
  readonly account: string;
  readonly currency: string;
  readonly minor_units: bigint;
  readonly reason: string;
  readonly at: Date;
}

const COLUMNS = `l.sequence, l.payment_id || '/' || l.purpose as transaction_id, l.payment_id, p.order_id, l.account, l.currency,
  l.minor_units, l.reason, l.at from ledger_entry l join payment p on p.id = l.payment_id`;

const ALL = `/* list-ledger */ select ${COLUMNS} where l.sequence > $1 order by l.sequence limit $2`;
const OF_PAYMENT = `/* list-ledger-of-payment */
  select ${COLUMNS} where l.payment_id = $3 and l.sequence > $1 order by l.sequence limit $2`;
const OF_ORDER = `/* list-ledger-of-order */
  select ${COLUMNS} where p.order_id = $3 and p.order_id <> '' and l.sequence > $1 order by l.sequence limit $2`;

/** Oldest first, from above `after`. At most one of the filters is used. */
export async function listLedger(
  sql: Sql,
  filter: { paymentId: string; orderId: string },
  after: bigint,
  limit: number,
): Promise<LedgerRow[]> {
  const page = [after, limit];
  if (filter.paymentId !== '') return (await sql.query<LedgerRow>(OF_PAYMENT, [...page, filter.paymentId])).rows;
  if (filter.orderId !== '') return (await sql.query<LedgerRow>(OF_ORDER, [...page, filter.orderId])).rows;
  return (await sql.query<LedgerRow>(ALL, page)).rows;
}
