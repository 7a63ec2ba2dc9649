import type { Runtime } from '@souk/kernel';
import type { Sql } from '@souk/store';
import { eventStoreErrors } from './errors.ts';
import { KEY_BYTES, seal, unseal } from './personal-cipher.ts';

/** Keys that wrap the subjects' keys. Secrets: they come from outside the database. */
export interface KeyEncryptionKeys {
  /** Id of the one that wraps new keys. */
  readonly current: string;
  /** 32 bytes each, by id; those of before stay until {@link SubjectKeys.rewrap} is done. */
  readonly keys: Readonly<Record<string, Uint8Array>>;
}

/** The data key of each subject; `forgotten` for those whose key was deleted. */
export type KeysBySubject = ReadonlyMap<string, Uint8Array | 'forgotten'>;

export interface SubjectKeys {
  /** Keys that are there. Never cached: a subject that is forgotten is forgotten at once, in every process. */
  find(sql: Sql, subjects: readonly string[]): Promise<KeysBySubject>;
  /** Makes those that are missing. */
  demand(sql: Sql, subjects: readonly string[]): Promise<KeysBySubject>;
  /** Deletes the key; a subject without one gets none any more. */
  forget(sql: Sql, subject: string): Promise<void>;
  /** Wraps up to `limit` keys of older key-encryption keys with the current one. @returns how many */
  rewrap(sql: Sql, limit: number): Promise<number>;
}

interface KeyRow {
  readonly subject: string;
  readonly key_id: string;
  readonly wrapped: Uint8Array | null;
}

const FIND = `
  /* find-subject-keys */
  SELECT subject, key_id, wrapped FROM souk.es_subject_key WHERE subject = ANY ($1)`;

const MAKE = `
  /* make-subject-keys */
  INSERT INTO souk.es_subject_key (subject, key_id, wrapped, made_at)
  SELECT s, $2, w, $4 FROM unnest($1::text[], $3::bytea[]) AS u (s, w) ORDER BY s ON CONFLICT (subject) DO NOTHING`;

const FORGET = `
  /* forget-subject */
  INSERT INTO souk.es_subject_key AS k (subject, key_id, made_at, forgotten_at) VALUES ($1, $2, $3, $3)
  ON CONFLICT (subject) DO UPDATE SET wrapped = NULL, forgotten_at = coalesce(k.forgotten_at, excluded.forgotten_at)`;

const OLD = `
  SELECT subject, key_id, wrapped FROM souk.es_subject_key WHERE wrapped IS NOT NULL AND key_id <> $1 LIMIT $2`;

const REWRAP = `
  UPDATE souk.es_subject_key k SET key_id = $2, wrapped = u.w
  FROM unnest($1::text[], $3::bytea[], $4::bytea[]) AS u (s, w, old) WHERE k.subject = u.s AND k.wrapped = u.old`;

/** @throws EVENTSTORE_SHREDDER_INVALID */
export function createSubjectKeys(runtime: Runtime, keks: KeyEncryptionKeys): SubjectKeys {
  const { current } = keks;
  for (const [id, key] of Object.entries(keks.keys)) {
    if (key.length !== KEY_BYTES) {
      const why = `key-encryption key ${id} has ${key.length} bytes instead of ${KEY_BYTES}`;
      throw eventStoreErrors.SHREDDER_INVALID({ why });
    }
  }
  const currentKey = keks.keys[current];
  if (currentKey === undefined) throw eventStoreErrors.SHREDDER_INVALID({ why: `there is no key ${current}` });

  const wrap = (subject: string, key: Uint8Array) => seal(runtime.random, currentKey, key, `subject ${subject}`);
  const unwrap = ({ subject, key_id: keyId, wrapped }: KeyRow): Uint8Array | 'forgotten' => {
    if (wrapped === null) return 'forgotten';
    const kek = keks.keys[keyId];
    const key = kek && unseal(kek, wrapped, `subject ${subject}`);
    if (key === undefined) throw eventStoreErrors.DATA_UNREADABLE({ type: 'the keys of subjects', keyId });
    return key;
  };
  const find = async (sql: Sql, subjects: readonly string[]): Promise<Map<string, Uint8Array | 'forgotten'>> => {
    const { rows } = await sql.query<KeyRow>(FIND, [subjects]);
    return new Map(rows.map((row) => [row.subject, unwrap(row)]));
  };

  return {
    find,
    demand: async (sql, subjects) => {
      const found = await find(sql, subjects);
      const missing = subjects.filter((subject) => !found.has(subject));
      if (missing.length === 0) return found;
      const wrapped = missing.map((subject) => wrap(subject, runtime.random.bytes(KEY_BYTES)));
      await sql.query(MAKE, [missing, current, wrapped, new Date(runtime.clock.now())]);
      // Another process may have made them first: what is stored counts.
      return new Map([...found, ...(await find(sql, missing))]);
    },
    forget: async (sql, subject) => {
      await sql.query(FORGET, [subject, current, new Date(runtime.clock.now())]);
    },
    rewrap: async (sql, limit) => {
      const { rows } = await sql.query<KeyRow>(OLD, [current, limit]);
      const fresh = rows.map((row) => wrap(row.subject, unwrap(row) as Uint8Array));
      const subjects = rows.map(({ subject }) => subject);
      return (await sql.query(REWRAP, [subjects, current, fresh, rows.map(({ wrapped }) => wrapped)])).rowCount;
    },
  };
}
