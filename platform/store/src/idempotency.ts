import { createHash } from 'node:crypto';
import type { Runtime } from '@souk/kernel';
import type { Sql, Transaction } from './database.ts';
import { idempotencyErrors, storeErrors } from './errors.ts';
import type { Migration } from './migration.ts';

/** The table behind {@link idempotent}. */
export const idempotencyMigrations: readonly Migration[] = [
  {
    id: 'idempotency/0001-idempotency',
    sql: `
      CREATE TABLE souk.idempotency (
        scope text NOT NULL,
        key text NOT NULL,
        fingerprint bytea NOT NULL,
        response bytea NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        PRIMARY KEY (scope, key)
      );
      CREATE INDEX idempotency_expires_at ON souk.idempotency (expires_at);`,
  },
];

export interface IdempotentRequest {
  /** Whose key it is and for what: caller and method. Equal keys of two scopes have nothing to do with each other. */
  readonly scope: string;
  /** 1 to 255 characters. */
  readonly key: string;
  /** What was asked, see {@link fingerprintOf}: the same key with another fingerprint is refused. */
  readonly fingerprint: Uint8Array;
  readonly runtime: Runtime;
}

export interface IdempotentWork extends IdempotentRequest {
  /** How long the response is kept, in milliseconds. @default 24 hours */
  readonly retentionMs?: number;
}

export interface IdempotentResponse {
  readonly response: Uint8Array;
  /** True when the work was done by an earlier request. */
  readonly replayed: boolean;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Wait that is asked of a client whose first request is still running, in milliseconds. */
const IN_FLIGHT_RETRY_MS = 1000;

/** SHA-256 over the method and the canonical bytes of the request. */
export const fingerprintOf = (method: string, request: Uint8Array): Uint8Array =>
  createHash('sha256').update(method).update('\0').update(request).digest();

// A lock of the transaction instead of a lease: it ends with the transaction and, in a crash, with the connection.
const CLAIM = `
  WITH claim AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(31) || $2, 0)) AS free)
  SELECT claim.free, i.fingerprint, i.response
  FROM claim LEFT JOIN souk.idempotency i ON i.scope = $1 AND i.key = $2 AND i.expires_at > $3`;

const KEEP = `
  INSERT INTO souk.idempotency AS i (scope, key, fingerprint, response, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (scope, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, response = excluded.response,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE i.expires_at <= excluded.created_at`;

const FIND = `
  SELECT fingerprint, response FROM souk.idempotency WHERE scope = $1 AND key = $2 AND expires_at > $3`;

const SWEEP = `
  DELETE FROM souk.idempotency WHERE (scope, key) IN (
    SELECT scope, key FROM souk.idempotency WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`;

interface Stored {
  readonly fingerprint: Uint8Array;
  readonly response: Uint8Array;
}

/**
 * Does `work` at most once per key, and answers every repetition with the first response. Call it inside the business transaction:
 * effect and response commit together. Two round trips more than the work itself, one for a repetition. `work` that throws leaves
 * nothing behind, and the key is free again.
 *
 * @throws IDEMPOTENCY_KEY_REUSED when the key came with another fingerprint; IDEMPOTENCY_KEY_IN_FLIGHT while another
 * transaction works on it
 */
export async function idempotent(
  tx: Transaction,
  request: IdempotentWork,
  work: () => Promise<Uint8Array>,
): Promise<IdempotentResponse> {
  const { scope, key, fingerprint, runtime } = request;
  const now = runtime.clock.now();
  const { rows } = await tx.query<{ free: boolean } & (Stored | { fingerprint: null })>(CLAIM, [
    scope,
    key,
    new Date(now),
  ]);
  const [found] = rows;
  if (found?.fingerprint) return { response: replay(found, fingerprint), replayed: true };
  if (!found?.free) throw idempotencyErrors.KEY_IN_FLIGHT({}, { afterMs: IN_FLIGHT_RETRY_MS });
  const response = await work();
  const expiresAt = new Date(now + (request.retentionMs ?? DAY_MS));
  const { rowCount } = await tx.query(KEEP, [scope, key, fingerprint, response, new Date(now), expiresAt]);
  // The first holder committed between our snapshot and our lock: the next attempt of the transaction sees its row.
  if (rowCount === 0) throw storeErrors.CONFLICT({ sqlState: '40001' });
  return { response, replayed: false };
}

/**
 * The stored response of an earlier request, if there is one: a cheap look before expensive work outside of a transaction.
 *
 * @throws IDEMPOTENCY_KEY_REUSED
 */
export async function findReplay(sql: Sql, request: IdempotentRequest): Promise<Uint8Array | undefined> {
  const { scope, key, fingerprint, runtime } = request;
  const { rows } = await sql.query<Stored>(FIND, [scope, key, new Date(runtime.clock.now())]);
  return rows[0] && replay(rows[0], fingerprint);
}

/**
 * Deletes expired responses, at most `limit` of them.
 *
 * @returns How many were deleted: call again at once when it is `limit`.
 */
export async function sweepIdempotency(sql: Sql, runtime: Runtime, limit = 1000): Promise<number> {
  return (await sql.query(SWEEP, [new Date(runtime.clock.now()), limit])).rowCount;
}

function replay(stored: Stored, fingerprint: Uint8Array): Uint8Array {
  if (Buffer.compare(stored.fingerprint, fingerprint) !== 0) throw idempotencyErrors.KEY_REUSED();
  return stored.response;
}
