/*
 * What begins a payment or a move of it. Each is one statement that writes the attempt with it, so that no call to the provider is
 * made without a trace; each is a comparison and a change in one, so that of two that exclude each other one wins.
 */
import type { Sql } from '@souk/store';
import type { PaymentRow } from './payment-row.ts';

/** When it is, and when whoever looks takes up what has no outcome by then. */
export interface Times {
  readonly now: Date;
  readonly resumeAt: Date;
}

export interface NewPayment {
  readonly id: string;
  readonly orderId: string;
  readonly userId: string;
  readonly paymentMethodId: string;
  readonly currency: string;
  readonly amount: bigint;
}

const METHOD = 'method as (select provider_reference from payment_method where id = $4 and user_id = $3)';

const ATTEMPT = (from: string, purpose: string) => `
  insert into payment_attempt (payment_id, purpose, state, next_at, created_at, updated_at)
  select id, '${purpose}', 'created', $8, $7, $7 from ${from} returning 1`;

const BEGIN = `/* begin-payment */
  with ${METHOD},
  made as (
    insert into payment (id, order_id, user_id, payment_method_id, method_reference, status, currency, amount, created_at, updated_at)
    select $1, $2, $3, $4, provider_reference, 'PENDING', $5, $6, $7, $7 from method
    on conflict (order_id) where not by_hand do nothing
    returning *
  ),
  attempt as (${ATTEMPT('made', 'authorize')})
  select made.*, true as made from made
  union all
  select p.*, false as made from payment p where p.order_id = $2 and not p.by_hand`;

const values = (payment: NewPayment, { now, resumeAt }: Times): unknown[] => [
  payment.id,
  payment.orderId,
  payment.userId,
  payment.paymentMethodId,
  payment.currency,
  payment.amount,
  now,
  resumeAt,
];

/**
 * Begins the payment of an order, or finds the one it has.
 * @returns undefined when the user has no such payment method
 */
export async function beginPayment(
  sql: Sql,
  payment: NewPayment,
  times: Times,
): Promise<(PaymentRow & { made: boolean }) | undefined> {
  const { rows } = await sql.query<PaymentRow & { made: boolean }>(BEGIN, values(payment, times));
  if (rows[0] !== undefined) return rows[0];
  // Another transaction made it after our statement began to look.
  const found = await findByOrder(sql, payment.orderId);
  return found && { ...found, made: false };
}

const BEGIN_BY_HAND = `/* begin-payment-by-hand */
  with ${METHOD},
  made as (
    insert into payment (id, order_id, user_id, payment_method_id, method_reference, status, currency, amount, created_at, updated_at,
      by_hand, reference)
    select $1, $2, $3, $4, provider_reference, 'PENDING', $5, $6, $7, $7, true, $9 from method
    returning *
  ),
  attempt as (${ATTEMPT('made', 'authorize')})
  select * from made`;

/** @returns undefined when the user has no such payment method */
export async function beginPaymentByHand(
  sql: Sql,
  payment: NewPayment & { reference: string },
  times: Times,
): Promise<PaymentRow | undefined> {
  const { rows } = await sql.query<PaymentRow>(BEGIN_BY_HAND, [...values(payment, times), payment.reference]);
  return rows[0];
}

const beginCaptureWhere = (which: string) => `/* begin-capture */
  with p as (
    update payment set capturing = true where ${which} and status = 'AUTHORIZED' and cancel_reason = '' returning *
  ),
  attempt as (
    insert into payment_attempt (payment_id, purpose, state, next_at, created_at, updated_at)
    select id, 'capture', 'created', $3, $2, $2 from p on conflict do nothing
  )
  select p.*, true as begun from p
  union all
  select x.*, false as begun from payment x where ${which} and not exists (select 1 from p)`;

const BEGIN_CAPTURE = beginCaptureWhere('order_id = $1 and not by_hand');
const BEGIN_CAPTURE_BY_ID = beginCaptureWhere('id = $1');

type Begun = PaymentRow & { readonly begun: boolean };

/** Begins to take what is held for an order, unless it was called off. @returns undefined when the order has no payment */
export const beginCapture = (sql: Sql, orderId: string, times: Times) => capturing(sql, BEGIN_CAPTURE, orderId, times);

/** {@link beginCapture} by the payment's id. */
export const beginCaptureById = (sql: Sql, id: string, times: Times) => capturing(sql, BEGIN_CAPTURE_BY_ID, id, times);

async function capturing(sql: Sql, text: string, which: string, { now, resumeAt }: Times): Promise<Begun | undefined> {
  const begin = async () => (await sql.query<Begun>(text, [which, now, resumeAt])).rows[0];
  const found = await begin();
  // Could be captured and yet was not: it was changed by another transaction while the statement waited for it, and is shown as it was.
  const outdated = found?.begun === false && found.status === 'AUTHORIZED' && found.cancel_reason === '';
  return outdated ? begin() : found;
}

// $3: because the order was cancelled. Then also what was taken is given back; otherwise only what was not taken yet is called off.
const CALL_OFF = `/* call-off-payment */
  with tombstone as (
    insert into payment (id, order_id, user_id, status, currency, amount, cancel_reason, order_cancelled, created_at, updated_at)
    values ($6, $1, $7, 'VOIDED', '', 0, $2, $3, $4, $4)
    on conflict (order_id) where not by_hand do nothing
    returning *
  ),
  p as (
    update payment set
      cancel_reason = case when cancel_reason = '' then $2 else cancel_reason end,
      order_cancelled = order_cancelled or $3, version = version + 1, updated_at = $4
    where order_id = $1 and not by_hand
      and ($3 or (status in ('PENDING', 'AUTHORIZED', 'VOIDED', 'FAILED') and not (status = 'AUTHORIZED' and capturing)))
    returning *
  ),
  attempt as (
    insert into payment_attempt as a (payment_id, purpose, state, next_at, created_at, updated_at)
    select id, 'void', 'created', $5, $4, $4 from p
    where status in ('PENDING', 'AUTHORIZED') or ($3 and status in ('CAPTURED', 'PARTIALLY_REFUNDED'))
    on conflict (payment_id, purpose) do update set state = 'created', next_at = excluded.next_at, updated_at = excluded.updated_at
      where a.state in ('succeeded', 'failed')
  )
  select * from tombstone union all select * from p`;

export interface CallOff {
  readonly orderId: string;
  /** Of the tombstone, when one is needed. */
  readonly id: string;
  readonly userId: string;
  readonly reason: string;
  readonly orderCancelled: boolean;
}

/**
 * Records that the money of an order is to be let go, durably and before anything is done about it. An order without a payment gets a
 * tombstone, which a late authorization finds.
 * @returns undefined when the money was taken and the order is not cancelled
 */
export async function callOff(sql: Sql, off: CallOff, { now, resumeAt }: Times): Promise<PaymentRow | undefined> {
  const { orderId, reason, orderCancelled, id, userId } = off;
  const row = async () =>
    (await sql.query<PaymentRow>(CALL_OFF, [orderId, reason, orderCancelled, now, resumeAt, id, userId])).rows[0];
  // No row the first time can mean that another transaction has just made the payment: then the second one sees it.
  return (await row()) ?? (await row());
}

const BY_ID = '/* find-payment */ select * from payment where id = $1';
const BY_ORDER = '/* find-payment-of-order */ select * from payment where order_id = $1 and not by_hand';

export async function findPayment(sql: Sql, id: string): Promise<PaymentRow | undefined> {
  return (await sql.query<PaymentRow>(BY_ID, [id])).rows[0];
}

export async function findByOrder(sql: Sql, orderId: string): Promise<PaymentRow | undefined> {
  return (await sql.query<PaymentRow>(BY_ORDER, [orderId])).rows[0];
}

const BY_IDS = '/* find-payments */ select * from payment where id = any($1)';

export async function findPayments(sql: Sql, ids: readonly string[]): Promise<PaymentRow[]> {
  return (await sql.query<PaymentRow>(BY_IDS, [ids])).rows;
}

const OF_USER = `/* list-user-payments */
  select * from payment where user_id = $1 and id < $2 order by id desc limit $3`;

/** Newest first, from below `before`. */
export async function listOfUser(sql: Sql, userId: string, before: string, limit: number): Promise<PaymentRow[]> {
  return (await sql.query<PaymentRow>(OF_USER, [userId, before, limit])).rows;
}

const KNOWN_TO_PROVIDER = `/* list-payments-for-reconciliation */
  select * from payment where id > $1 and id < $2 and status <> 'FAILED' and amount > 0 order by id limit $3`;

/** Payments that the provider should know, oldest first. */
export async function listForReconciliation(
  sql: Sql,
  range: { after: string; before: string },
  limit: number,
): Promise<PaymentRow[]> {
  return (await sql.query<PaymentRow>(KNOWN_TO_PROVIDER, [range.after, range.before, limit])).rows;
}
