import type { DeadLetterStatus } from './dead-letters.ts';

export interface LetterRow {
  readonly id: bigint;
  readonly consumer: string;
  readonly source: string;
  readonly msg_id: string;
  readonly type: string;
  readonly key: string;
  readonly reason: string;
  readonly error: string;
  readonly fingerprint: string;
  readonly attempts: number;
  readonly status: DeadLetterStatus;
  readonly dead_at: Date;
  readonly operator: string | null;
  readonly note: string | null;
  readonly acted_at: Date | null;
  readonly blocks: boolean;
}

const COLUMNS = `
  d.id, d.consumer, d.source, d.msg_id, d.type, d.key, d.reason, d.error, d.fingerprint, jsonb_array_length(d.attempts) AS attempts,
  d.status, d.dead_at, d.operator, d.note, d.acted_at,
  EXISTS (SELECT FROM souk.retry r WHERE r.dead_letter = d.id AND r.state = 'blocked') AS blocks`;

const MATCHES = `
  d.consumer = $1 AND d.status = ANY ($2::text[])
  AND ($3::text IS NULL OR d.type = $3) AND ($4::text IS NULL OR d.key = $4)
  AND ($5::text IS NULL OR d.reason = $5) AND ($6::text IS NULL OR d.fingerprint = $6)
  AND ($7::timestamptz IS NULL OR d.dead_at < $7) AND ($8::timestamptz IS NULL OR d.dead_at >= $8)`;

export const LIST = `
  /* dead-letter-list */
  SELECT ${COLUMNS} FROM souk.dead_letter d
  WHERE ${MATCHES} AND ($9::bigint IS NULL OR d.id < $9) ORDER BY d.id DESC LIMIT $10`;

export const IDS = `
  /* dead-letter-ids */
  SELECT d.id FROM souk.dead_letter d
  WHERE ${MATCHES} AND d.id > $9 AND ($10::bigint IS NULL OR d.id <= $10) ORDER BY d.id LIMIT $11`;

export const COUNT = `
  /* dead-letter-count */
  SELECT count(*)::int AS count, max(d.id) AS newest FROM souk.dead_letter d
  WHERE ${MATCHES} AND ($9::bigint IS NULL OR d.id <= $9)`;

export const GROUPS = `
  /* dead-letter-groups */
  SELECT fingerprint, min(type) AS type, min(reason) AS reason, min(error) AS error, count(*)::int AS count,
    min(dead_at) AS "firstAt", max(dead_at) AS "lastAt", max(id) AS "sampleId"
  FROM souk.dead_letter WHERE consumer = $1 AND status = 'dead'
  GROUP BY fingerprint
  HAVING $2::int IS NULL OR count(*) < $2 OR count(*) = $2 AND fingerprint > $3
  ORDER BY count(*) DESC, fingerprint LIMIT $4`;

export const GET = `
  /* dead-letter-get */
  SELECT ${COLUMNS}, d.attempts AS failures, d.envelope FROM souk.dead_letter d WHERE d.id = $1 AND d.consumer = $2`;

export const OPEN_LETTER = `
  /* dead-letter-open */
  SELECT coalesce(lane, source || '#' || key) AS lane, envelope FROM souk.dead_letter
  WHERE id = $1 AND consumer = $2 AND status = 'dead'`;

export const MARK = `
  /* dead-letter-mark */
  UPDATE souk.dead_letter SET status = $2, operator = $3, note = $4, acted_at = $5 WHERE id = $1 AND status = 'dead'`;

// The place that it kept in front of its key. Due, unless something of the key is before it.
export const REDRIVE_BLOCKED = `
  /* dead-letter-redrive */
  UPDATE souk.retry r SET state = 'waiting', attempts = 0, lost = 0, errors = '[]', dead_letter = NULL, envelope = $5,
    available_at = CASE WHEN EXISTS (SELECT FROM souk.retry e WHERE e.consumer = $2 AND e.key = $3 AND e.id < r.id)
      THEN 'infinity' ELSE $4::timestamptz END
  WHERE r.dead_letter = $1 AND r.state = 'blocked'`;

export const REDRIVE_INSERT = `
  /* dead-letter-redrive */
  INSERT INTO souk.retry (consumer, key, available_at, envelope)
  SELECT $1, $2, CASE WHEN EXISTS (SELECT FROM souk.retry WHERE consumer = $1 AND key = $2)
    THEN 'infinity' ELSE $3::timestamptz END, $4`;

export const DISCARD_BLOCKED = `
  /* dead-letter-discard */
  DELETE FROM souk.retry WHERE dead_letter = $1 AND state = 'blocked'`;
