/*
 * Sessions and their refresh tokens. A session is a family of tokens, each made from the one before; only hashes are kept.
 *
 *   (none) --openSession--> open --rotateToken--> open;  open --endSession, endReusedSession--> ended;  open --time--> expired
 *
 * S1 a token buys a successor at most once.  S2 a used token that comes again ends its session.  S3 what is ended or expired stays so, and
 * rotation does not move the expiry.  S4 each arrow is one statement.
 */
import type { Sql } from '@souk/store';

/** Somebody who tries to sign in. */
export interface Candidate {
  readonly id: string | null;
  readonly password_hash: string | null;
  readonly roles: readonly string[] | null;
  readonly count: number | null;
  readonly last_at: Date | null;
}

const candidateBy = (column: string): string => `
  select a.id, a.password_hash, a.roles, f.count, f.last_at
  from (values ($1::text)) as wanted (key)
  left join account a on a.${column} = wanted.key
  left join login_failure f on f.key = coalesce(a.id, $2)`;

const BY_EMAIL = candidateBy('email_key');
const BY_USERNAME = candidateBy('username_key');

/**
 * What is known under a name, and how often it failed lately. One row, also of nobody.
 *
 * @param strangerKey Under which failures are counted when there is no such account.
 */
export async function findCandidate(
  sql: Sql,
  by: 'email' | 'username',
  key: string,
  strangerKey: string,
): Promise<Candidate> {
  const text = by === 'email' ? BY_EMAIL : BY_USERNAME;
  const { rows } = await sql.query<Candidate>(text, [key, strangerKey]);
  return rows[0] as Candidate;
}

const COUNT_FAILURE = `
  insert into login_failure as f (key, count, last_at) values ($1, 1, $2)
  on conflict (key) do update set count = case when f.last_at < $3 then 1 else f.count + 1 end, last_at = $2`;

/** @param forgetBefore Failures before this count no longer. */
export async function countFailure(sql: Sql, key: string, now: Date, forgetBefore: Date): Promise<void> {
  await sql.query(COUNT_FAILURE, [key, now, forgetBefore]);
}

const OPEN = `
  with opened as (
    insert into session (id, user_id, created_at, expires_at)
    select $1, a.id, $2, $3 from account a
    where a.id = $4 and a.status = 'ACTIVE' and a.password_hash = $5
      and not exists (select from login_failure f where f.key = a.id and f.count > $6 and f.count >= $7)
    returning id, user_id
  ),
  token as (insert into refresh_token (hash, session_id) select $8, id from opened),
  forgiven as (delete from login_failure f using opened o where f.key = o.user_id)
  select id from opened`;

export interface NewSession {
  readonly id: string;
  readonly userId: string;
  /** The hash that the password was checked against. */
  readonly passwordHash: string;
  /** Failures that were known when the attempt was let through. */
  readonly failuresSeen: number;
  /** From how many failures on an account is locked. */
  readonly failuresAllowed: number;
  readonly tokenHash: string;
  readonly expiresAt: Date;
}

/** @returns false, and nothing changed, when the account was locked, changed or closed while the password was checked */
export async function openSession(sql: Sql, session: NewSession, now: Date): Promise<boolean> {
  const { rowCount } = await sql.query(OPEN, [
    session.id,
    now,
    session.expiresAt,
    session.userId,
    session.passwordHash,
    session.failuresSeen,
    session.failuresAllowed,
    session.tokenHash,
  ]);
  return rowCount > 0;
}

const ROTATE = `
  with used as (
    update refresh_token t set used_at = $2
    from session s join account a on a.id = s.user_id
    where t.hash = $1 and t.used_at is null and s.id = t.session_id and s.ended_at is null and s.expires_at > $2
      and a.status = 'ACTIVE'
    returning t.session_id, s.user_id, a.roles
  ),
  successor as (insert into refresh_token (hash, session_id) select $3, session_id from used)
  select user_id, roles from used`;

/** @returns undefined, and nothing changed, unless the token is unused and its session open */
export async function rotateToken(
  sql: Sql,
  hash: string,
  successorHash: string,
  now: Date,
): Promise<{ user_id: string; roles: readonly string[] } | undefined> {
  const { rows } = await sql.query<{ user_id: string; roles: string[] }>(ROTATE, [hash, now, successorHash]);
  return rows[0];
}

const END_REUSED = `
  update session s set ended_at = coalesce(s.ended_at, $2) from refresh_token t
  where t.hash = $1 and t.used_at is not null and s.id = t.session_id
  returning s.id, s.user_id`;

/** @returns undefined when the token was never used, or never given out */
export async function endReusedSession(
  sql: Sql,
  hash: string,
  now: Date,
): Promise<{ id: string; user_id: string } | undefined> {
  const { rows } = await sql.query<{ id: string; user_id: string }>(END_REUSED, [hash, now]);
  return rows[0];
}

const END = `
  update session s set ended_at = $2 from refresh_token t
  where t.hash = $1 and s.id = t.session_id and s.ended_at is null`;

export async function endSession(sql: Sql, hash: string, now: Date): Promise<void> {
  await sql.query(END, [hash, now]);
}

const REHASH = 'update account set password_hash = $3 where id = $1 and password_hash = $2';

/** The same password at another cost, unless it was changed meanwhile. */
export async function replaceHash(sql: Sql, userId: string, before: string, after: string): Promise<void> {
  await sql.query(REHASH, [userId, before, after]);
}

const SWEEP_BATCH = 5000;

const SWEEP = `
  with sessions as (
    delete from session where id in (select id from session where expires_at <= $1 limit ${SWEEP_BATCH} for update skip locked)
  )
  delete from login_failure where key in (
    select key from login_failure where last_at < $2 limit ${SWEEP_BATCH} for update skip locked)`;

/** Removes expired sessions with their tokens, and failures that count no longer. */
export async function sweepSessions(sql: Sql, now: Date, forgetBefore: Date): Promise<void> {
  await sql.query(SWEEP, [now, forgetBefore]);
}
