import { hasReason, isSoukError } from '@souk/kernel';
import type { Sql } from '@souk/store';
import { foldKey } from '../domain/identity.ts';
import type { Preferences, Profile } from '../domain/user.ts';
import { userErrors } from '../errors.ts';

export type AccountStatus = 'ACTIVE' | 'DELETED';

/** An account; of a closed one only id, roles, status, version and times are left. */
export interface Account {
  readonly id: string;
  readonly status: AccountStatus;
  readonly email: string | null;
  readonly username: string | null;
  readonly roles: readonly string[];
  readonly profile: Partial<Profile>;
  readonly preferences: Partial<Preferences>;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** What a user can change. */
export interface AccountData {
  readonly email: string;
  readonly username: string;
  readonly profile: Profile;
  readonly preferences: Preferences;
}

const COLUMNS = 'id, status, email, username, roles, profile, preferences, version, created_at, updated_at';

const INSERT = `
  insert into account (id, status, roles, password_hash, email, email_key, username, username_key, profile, preferences, search,
    created_at, updated_at)
  values ($1, 'ACTIVE', $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11, $11)
  returning ${COLUMNS}`;

/** @throws USERS_EMAIL_TAKEN, USERS_USERNAME_TAKEN */
export async function insertAccount(
  sql: Sql,
  account: AccountData & { readonly id: string; readonly roles: readonly string[]; readonly passwordHash: string },
  now: Date,
): Promise<Account> {
  const { id, roles, passwordHash } = account;
  return unlessTaken(async () => {
    const { rows } = await sql.query<Account>(INSERT, [id, roles, passwordHash, ...columnsOf(account), now]);
    return rows[0] as Account;
  });
}

const UPDATE = `
  update account set email = $2, email_key = $3, username = $4, username_key = $5, profile = $6::jsonb, preferences = $7::jsonb,
    search = $8, version = version + 1, updated_at = $9
  where id = $1 returning ${COLUMNS}`;

/** Changes a locked account. @throws USERS_EMAIL_TAKEN, USERS_USERNAME_TAKEN */
export async function updateAccount(sql: Sql, id: string, data: AccountData, now: Date): Promise<Account> {
  return unlessTaken(async () => {
    const { rows } = await sql.query<Account>(UPDATE, [id, ...columnsOf(data), now]);
    return rows[0] as Account;
  });
}

const CLOSE = `
  with ended as (delete from session where user_id = $1),
    forgotten as (delete from login_failure where key = $1)
  update account set status = 'DELETED', email = null, email_key = null, username = null, username_key = null, password_hash = null,
    profile = '{}', preferences = '{}', search = '', version = version + 1, updated_at = $2
  where id = $1`;

/** Erases what is known of the person and ends every session. */
export async function closeAccount(sql: Sql, id: string, now: Date): Promise<void> {
  await sql.query(CLOSE, [id, now]);
}

/** @returns undefined when there is none; a closed one is returned */
export async function findAccount(sql: Sql, id: string): Promise<Account | undefined> {
  const { rows } = await sql.query<Account>(`select ${COLUMNS} from account where id = $1`, [id]);
  return rows[0];
}

/** Reads the row for a change in the same transaction. */
export async function lockAccount(sql: Sql, id: string): Promise<Account | undefined> {
  const { rows } = await sql.query<Account>(`select ${COLUMNS} from account where id = $1 for update`, [id]);
  return rows[0];
}

export async function findByEmail(sql: Sql, email: string): Promise<Account | undefined> {
  const { rows } = await sql.query<Account>(`select ${COLUMNS} from account where email_key = $1`, [foldKey(email)]);
  return rows[0];
}

/** Newest first: ids begin with the time they were made. @param query.text Folded; empty: all. @param query.before Only smaller ids. */
export async function listAccounts(
  sql: Sql,
  query: { text: string; status: AccountStatus | undefined; before: string | undefined; limit: number },
): Promise<Account[]> {
  const { rows } = await sql.query<Account>(
    `select ${COLUMNS} from account
     where ($1::text is null or id < $1) and ($2::text is null or status = $2) and ($3 = '' or strpos(search, $3) > 0)
     order by id desc limit $4`,
    [query.before ?? null, query.status ?? null, query.text, query.limit],
  );
  return rows;
}

function columnsOf({ email, username, profile, preferences }: AccountData): readonly unknown[] {
  const emailKey = foldKey(email);
  const usernameKey = foldKey(username);
  const name = foldKey(`${profile.firstName} ${profile.lastName}`);
  const search = `${emailKey}\n${usernameKey}\n${name}`;
  return [email, emailKey, username, usernameKey, JSON.stringify(profile), JSON.stringify(preferences), search];
}

async function unlessTaken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isSoukError(cause) || !hasReason(cause, 'STORE_UNIQUE_VIOLATION')) throw cause;
    // Without the cause: what the database says of it may quote the address.
    if (cause.details.constraint === 'account_email') throw userErrors.EMAIL_TAKEN();
    if (cause.details.constraint === 'account_username') throw userErrors.USERNAME_TAKEN();
    throw cause;
  }
}
