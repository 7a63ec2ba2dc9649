/*
 * The moves of a payment once their outcome is known: each one statement that changes the payment if it is where the move starts,
 * closes the attempt and writes the ledger. No row: somebody else was faster, and nothing was changed.
 */
import type { Sql } from '@souk/store';
import { type Booking, postings } from '../domain/booking.ts';
import type { PaymentRow, RefundRow } from './payment-row.ts';

/** From `p (id, currency)`; $1 is what the row is found by, $2 the time, $3 and $4 the postings. */
const BOOK = (from: string, purpose: string, reason: Booking) => `
  insert into ledger_entry (payment_id, purpose, account, currency, minor_units, reason, at)
  select ${from}.id, ${purpose}, e.account, ${from}.currency, e.units, '${reason}', $2
  from ${from}, unnest($3::text[], $4::bigint[]) as e (account, units)`;

const MOVE = (name: string, set: string, from: string, attempts: string, booking: Booking) => `/* ${name} */
  with p as (
    update payment set ${set}, version = version + 1, updated_at = $2 where id = $1 and status = '${from}' returning *
  ),
  attempt as (
    update payment_attempt a set state = 'succeeded', updated_at = $2 from p where a.payment_id = p.id and ${attempts}
  ),
  booked as (${BOOK('p', `'${booking}'`, booking)})
  select * from p`;

const AUTHORIZED = MOVE(
  'settle-authorized',
  "status = 'AUTHORIZED', provider_reference = $5",
  'PENDING',
  "a.purpose = 'authorize'",
  'authorize',
);

const CAPTURED = MOVE(
  'settle-captured',
  "status = 'CAPTURED', capturing = false, captured = $5",
  'AUTHORIZED',
  "a.purpose = 'capture'",
  'capture',
);

const VOIDED = MOVE(
  'settle-voided',
  "status = 'VOIDED', capturing = false",
  'AUTHORIZED',
  "a.state in ('created', 'unknown')",
  'void',
);

const book = (booking: Booking, held: bigint, moved: bigint): [string[], bigint[]] => {
  const all = postings(booking, held, moved);
  return [all.map(({ account }) => account), all.map(({ minorUnits }) => minorUnits)];
};

const one = async (sql: Sql, text: string, values: unknown[]): Promise<PaymentRow | undefined> =>
  (await sql.query<PaymentRow>(text, values)).rows[0];

/** PENDING -> AUTHORIZED */
export const settleAuthorized = (sql: Sql, payment: PaymentRow, reference: string, now: Date) =>
  one(sql, AUTHORIZED, [payment.id, now, ...book('authorize', payment.amount, 0n), reference]);

/** AUTHORIZED -> CAPTURED */
export const settleCaptured = (sql: Sql, payment: PaymentRow, captured: bigint, now: Date) =>
  one(sql, CAPTURED, [payment.id, now, ...book('capture', payment.amount, captured), captured]);

/** AUTHORIZED -> VOIDED */
export const settleVoided = (sql: Sql, payment: PaymentRow, now: Date) =>
  one(sql, VOIDED, [payment.id, now, ...book('void', payment.amount, 0n)]);

const CLOSED = (name: string, set: string) => `/* ${name} */
  with p as (
    update payment set ${set}, version = version + 1, updated_at = $2 where id = $1 and status = 'PENDING' returning *
  ),
  attempt as (
    update payment_attempt a set state = 'failed', updated_at = $2 from p
    where a.payment_id = p.id and a.state in ('created', 'unknown')
  )
  select * from p`;

const FAILED = CLOSED('settle-failed', "status = 'FAILED', provider_reference = $3, failure_code = $4");
const ABANDONED = CLOSED('settle-abandoned', "status = 'VOIDED'");

/** PENDING -> FAILED: the provider refused. */
export const settleFailed = (sql: Sql, payment: PaymentRow, reference: string, failureCode: string, now: Date) =>
  one(sql, FAILED, [payment.id, now, reference, failureCode]);

/** PENDING -> VOIDED: called off, and the provider never heard of it. */
export const settleAbandoned = (sql: Sql, payment: PaymentRow, now: Date) => one(sql, ABANDONED, [payment.id, now]);

// Reserving under the row's lock is what keeps parallel refunds within what was captured: the comparison sees the row as it is then.
const BEGIN_REFUND = `/* begin-refund */
  with p as (
    select id, coalesce($3::bigint, captured - refunded - refund_reserved) as wanted from payment
    where id = $1 and status in ('CAPTURED', 'PARTIALLY_REFUNDED')
      and captured - refunded - refund_reserved >= greatest(1, coalesce($3::bigint, 1))
    for no key update
  ),
  reserved as (
    update payment x set refund_reserved = x.refund_reserved + p.wanted, version = x.version + 1, updated_at = $5
    from p where x.id = p.id returning 1
  ),
  attempt as (
    insert into payment_attempt (payment_id, purpose, state, next_at, created_at, updated_at)
    select id, 'refund/' || $2, 'created', $6, $5, $5 from p
  )
  insert into refund (id, payment_id, amount, status, reason, created_at)
  select $2, id, wanted, 'PENDING', $4, $5 from p returning *`;

/**
 * Reserves money to give back.
 * @param refund.amount undefined: all that is left.
 * @returns undefined when less is left, or nothing was captured
 */
export async function beginRefund(
  sql: Sql,
  refund: { id: string; paymentId: string; amount: bigint | undefined; reason: string },
  times: { now: Date; resumeAt: Date },
): Promise<RefundRow | undefined> {
  const { id, paymentId, amount = null, reason } = refund;
  const values = [paymentId, id, amount, reason, times.now, times.resumeAt];
  return (await sql.query<RefundRow>(BEGIN_REFUND, values)).rows[0];
}

const REFUND = (name: string, from: string, to: string, set: string, attempt: string, ledger: string) => `/* ${name} */
  with r as (update refund set status = '${to}' where id = $1 and status = '${from}' returning *),
  p as (
    update payment x set ${set}, version = x.version + 1, updated_at = $2 from r where x.id = r.payment_id returning x.*
  ),
  attempt as (
    update payment_attempt a set state = '${attempt}', updated_at = $2 from r
    where a.payment_id = r.payment_id and a.purpose = 'refund/' || r.id
  )${ledger}
  select * from p`;

const SUCCEEDED_REFUND = REFUND(
  'settle-refund',
  'PENDING',
  'SUCCEEDED',
  `refunded = x.refunded + r.amount, refund_reserved = x.refund_reserved - r.amount,
   status = case when x.refunded + r.amount = x.captured then 'REFUNDED' else 'PARTIALLY_REFUNDED' end`,
  'succeeded',
  `, booked as (${BOOK('p', "'refund/' || $1::text", 'refund')})`,
);

const REFUSED_REFUND = REFUND(
  'settle-refused-refund',
  'PENDING',
  'FAILED',
  'refund_reserved = x.refund_reserved - r.amount',
  'failed',
  '',
);

const REVERSED_REFUND = REFUND(
  'settle-reversed-refund',
  'SUCCEEDED',
  'FAILED',
  `refunded = x.refunded - r.amount, status = case when x.refunded = r.amount then 'CAPTURED' else 'PARTIALLY_REFUNDED' end`,
  'failed',
  `, booked as (${BOOK('p', "'refund-failed/' || $1::text", 'refund-failed')})`,
);

/** The refund was made. @returns the payment; undefined when that was known */
export const settleRefund = (sql: Sql, refund: RefundRow, now: Date) =>
  one(sql, SUCCEEDED_REFUND, [refund.id, now, ...book('refund', 0n, refund.amount)]);

/** The provider refused the refund. */
export const settleRefusedRefund = (sql: Sql, refund: RefundRow, now: Date) =>
  one(sql, REFUSED_REFUND, [refund.id, now]);

/** A refund that was made failed later: the money is ours again. */
export const settleReversedRefund = (sql: Sql, refund: RefundRow, now: Date) =>
  one(sql, REVERSED_REFUND, [refund.id, now, ...book('refund-failed', 0n, refund.amount)]);

const REFUNDS = '/* find-refunds */ select * from refund where payment_id = any($1) order by id';
const REFUND_BY_ID = '/* find-refund */ select * from refund where id = $1';

export async function findRefunds(sql: Sql, paymentIds: readonly string[]): Promise<RefundRow[]> {
  return (await sql.query<RefundRow>(REFUNDS, [paymentIds])).rows;
}

export async function findRefund(sql: Sql, id: string): Promise<RefundRow | undefined> {
  return (await sql.query<RefundRow>(REFUND_BY_ID, [id])).rows[0];
}
