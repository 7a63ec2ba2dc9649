import type { Sql } from '@souk/store';
import type { Envelope } from './envelope.ts';
import { toEnvelopeJson } from './envelope-json.ts';
import type { Failure } from './retry-table.ts';

// Delivered again after it died, an event is still one dead letter.
const INSERT = `
  /* dead-letter */
  INSERT INTO souk.dead_letter (consumer, source, msg_id, type, key, envelope, reason, error, attempts, dead_at, lane)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
  ON CONFLICT (consumer, source, msg_id) WHERE status = 'dead' DO NOTHING
  RETURNING id`;

/**
 * Keeps an event that cannot be handled, whole, for people to look at.
 *
 * @param lane Under which it waits in the retry table when it is tried again.
 * @param failures At least one; the last is the reason.
 * @returns the number of the letter, or undefined when it is dead already
 */
export async function bury(
  sql: Sql,
  consumer: string,
  lane: string,
  envelope: Envelope,
  failures: readonly Failure[],
  at: Date,
): Promise<bigint | undefined> {
  const last = failures.at(-1);
  const { rows } = await sql.query<{ id: bigint }>(INSERT, [
    consumer,
    envelope.source,
    envelope.id,
    envelope.type,
    envelope.key,
    JSON.stringify(toEnvelopeJson(envelope)),
    last?.reason ?? '',
    last?.error ?? '',
    JSON.stringify(failures),
    at,
    lane,
  ]);
  return rows[0]?.id;
}
