import type { Sql } from '@souk/store';
import type { Envelope } from './envelope.ts';
import { toEnvelopeJson } from './envelope-json.ts';
import type { Failure } from './retry-table.ts';

// Delivered again after it died, an event is still one dead letter.
const INSERT = `
  /* dead-letter */
  INSERT INTO souk.dead_letter (consumer, source, msg_id, type, key, envelope, reason, error, attempts, dead_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  ON CONFLICT (consumer, source, msg_id) WHERE status = 'dead' DO NOTHING`;

/** Keeps an event that cannot be handled, whole, for people to look at. @param failures At least one; the last is the reason. */
export async function bury(
  sql: Sql,
  consumer: string,
  envelope: Envelope,
  failures: readonly Failure[],
  at: Date,
): Promise<void> {
  const last = failures.at(-1);
  await sql.query(INSERT, [
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
  ]);
}
