import type { Sql } from '@souk/store';
import type { Purpose } from '../domain/payment.ts';

export interface OpenAttempt {
  readonly payment_id: string;
  readonly purpose: Purpose;
  /** How often its outcome was looked for. */
  readonly looks: number;
  readonly created_at: Date;
}

// Who looks later has set the time of the next look already; it grows with the looks.
const UNKNOWN = `/* note-unknown-outcome */
  update payment_attempt set state = 'unknown', next_at = case when looks = 0 then $3 else next_at end, updated_at = $4
  where payment_id = $1 and purpose = $2 and state in ('created', 'unknown')`;

/** The provider was asked to do it and its answer is not known. */
export async function noteUnknown(
  sql: Sql,
  paymentId: string,
  purpose: Purpose,
  nextAt: Date,
  now: Date,
): Promise<void> {
  await sql.query(UNKNOWN, [paymentId, purpose, nextAt, now]);
}

const LOOK_AT = `/* look-at-attempt */
  update payment_attempt set next_at = $3 where payment_id = $1 and purpose = $2 and state in ('created', 'unknown')`;

/** Sets the time of the next look. */
export async function lookAt(sql: Sql, paymentId: string, purpose: Purpose, at: Date): Promise<void> {
  await sql.query(LOOK_AT, [paymentId, purpose, at]);
}

const CLOSE = `/* close-attempt */
  update payment_attempt set state = $3, updated_at = $4 where payment_id = $1 and purpose = $2 and state in ('created', 'unknown')`;

export async function closeAttempt(
  sql: Sql,
  paymentId: string,
  purpose: Purpose,
  state: 'succeeded' | 'failed',
  now: Date,
): Promise<void> {
  await sql.query(CLOSE, [paymentId, purpose, state, now]);
}

// The wait grows with the looks: see resolveAfterMs in the domain, whose values come as $2.
const CLAIM = `/* claim-open-attempts */
  update payment_attempt a
  set looks = looks + 1, next_at = $1::timestamptz + make_interval(secs => ($2::int[])[least(looks + 1, cardinality($2::int[]))])
  where (payment_id, purpose) in (
    select payment_id, purpose from payment_attempt where state in ('created', 'unknown') and next_at <= $1
    order by next_at limit $3 for update skip locked)
  returning payment_id, purpose, looks, created_at`;

/**
 * Takes open attempts that are due; nobody else looks at them until their next turn.
 * @param waits Seconds until that, by the number of looks.
 */
export async function claimOpen(sql: Sql, now: Date, waits: readonly number[], limit: number): Promise<OpenAttempt[]> {
  return (await sql.query<OpenAttempt>(CLAIM, [now, waits, limit])).rows;
}

const LAST_SENT = `/* last-authorization */ select updated_at from payment_attempt where payment_id = $1 and purpose = 'authorize'`;

/** When the authorization was last sent, as far as is known. */
export async function lastAuthorizationAt(sql: Sql, paymentId: string): Promise<Date | undefined> {
  return (await sql.query<{ updated_at: Date }>(LAST_SENT, [paymentId])).rows[0]?.updated_at;
}

const OPEN_OF = `/* find-open-attempts */
  select payment_id from payment_attempt where payment_id = any($1) and state in ('created', 'unknown')`;

/** Which of these payments have something under way. */
export async function withOpenAttempts(sql: Sql, paymentIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ payment_id: string }>(OPEN_OF, [paymentIds]);
  return new Set(rows.map(({ payment_id }) => payment_id));
}
