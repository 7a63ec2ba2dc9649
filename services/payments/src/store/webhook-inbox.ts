import type { Sql } from '@souk/store';
import type { PaymentStatus } from '../domain/payment.ts';

export interface WebhookSeen {
  /** It was here before. */
  readonly seen: boolean;
  /** It was written down now, because it changes nothing: nothing else is to be done. */
  readonly settled: boolean;
}

const LOOK = `/* look-at-webhook */
  with seen as (select 1 from provider_event where provider = $1 and event_id = $2),
  settled as (
    insert into provider_event (provider, event_id, at)
    select $1, $2, $3 from payment where id = $4 and status = any($5::text[]) and not exists (select 1 from seen)
    on conflict do nothing returning 1
  )
  select exists (select 1 from seen) as seen, exists (select 1 from settled) as settled`;

/**
 * The cheap end of most webhooks: seen before, or telling what is known already, in one statement.
 * @param settled States of the payment in which the event changes nothing.
 */
export async function lookAtWebhook(
  sql: Sql,
  event: { provider: string; id: string; paymentId: string; settled: readonly PaymentStatus[] },
  now: Date,
): Promise<WebhookSeen> {
  const values = [event.provider, event.id, now, event.paymentId, event.settled];
  return (await sql.query<WebhookSeen>(LOOK, values)).rows[0] ?? { seen: false, settled: false };
}

const TAKE = `/* take-webhook */
  insert into provider_event (provider, event_id, at) values ($1, $2, $3) on conflict do nothing`;

/** Writes an event down. @returns false when it was there */
export async function takeWebhook(sql: Sql, provider: string, id: string, now: Date): Promise<boolean> {
  return (await sql.query(TAKE, [provider, id, now])).rowCount === 1;
}

const FORGET = '/* forget-webhooks */ delete from provider_event where at < $1';

export async function forgetWebhooks(sql: Sql, before: Date): Promise<void> {
  await sql.query(FORGET, [before]);
}
