import type { Sql } from '@souk/store';

/** Which channels a user wants to be reached by. */
export interface Preferences {
  readonly email: boolean;
  readonly sms: boolean;
  readonly push: boolean;
  /** 0 before the user has said anything. */
  readonly version: number;
}

/** What holds for who has not said anything. */
const DEFAULTS: Preferences = { email: true, sms: false, push: false, version: 0 };

export async function findPreferences(sql: Sql, userId: string): Promise<Preferences> {
  const { rows } = await sql.query<Preferences>('select email, sms, push, version from preference where user_id = $1', [
    userId,
  ]);
  return rows[0] ?? DEFAULTS;
}

export async function savePreferences(
  sql: Sql,
  userId: string,
  wanted: Omit<Preferences, 'version'>,
): Promise<Preferences> {
  const { rows } = await sql.query<Preferences>(
    `insert into preference as p (user_id, email, sms, push) values ($1, $2, $3, $4)
     on conflict (user_id) do update
       set email = excluded.email, sms = excluded.sms, push = excluded.push, version = p.version + 1
     returning email, sms, push, version`,
    [userId, wanted.email, wanted.sms, wanted.push],
  );
  return rows[0] as Preferences;
}
