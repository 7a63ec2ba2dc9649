import { type Context, hasReason, isSoukError, type Logger, type Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import type { PostgresAddress } from './address.ts';
import { describeAddress } from './address.ts';
import { postgresErrors } from './errors.ts';
import { rolePassword, scramVerifier } from './scram.ts';

export interface ProvisionInit {
  /** Signs in as the administrator. */
  readonly admin: Database;
  readonly address: PostgresAddress;
  /** As `server_version_num` says it: 180004. */
  readonly version: number;
  readonly runtime: Runtime;
  readonly log: Logger;
}

interface State {
  readonly role: boolean;
  readonly database: boolean;
  /** Anybody may connect. */
  readonly open: boolean;
  readonly superuser: boolean;
}

const STATE = `
  SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS role,
         EXISTS (SELECT FROM pg_database WHERE datname = $1) AS database,
         COALESCE((SELECT has_database_privilege('public', oid, 'CONNECT') FROM pg_database WHERE datname = $1), true) AS open,
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser`;

/** Longest name PostgreSQL keeps, in bytes. */
const LONGEST_NAME = 63;

/**
 * Sees to it that a service has a database of its own and a login role that can connect to it alone. Any number of processes may do
 * it at once. Without the right to create roles the administrator's role is used, and a log line says so.
 *
 * @returns Where the service signs in.
 * @throws POSTGRES_CANNOT_CREATE, POSTGRES_NAME_INVALID
 */
export async function provision(init: ProvisionInit, ctx: Context, name: string): Promise<PostgresAddress> {
  const { admin, address, log } = init;
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name.length > LONGEST_NAME) {
    throw postgresErrors.NAME_INVALID({ name, most: LONGEST_NAME });
  }
  const sql = admin.at(ctx);
  const state = (await sql.query<State>(STATE, [name])).rows[0] as State;
  const own = state.role ? address.password !== undefined : await createRole(init, ctx, name);
  if (!own) log.warn('no login role of its own for a database: the given role cannot create one', { database: name });
  if (!state.superuser && !state.role && own) await alone(admin, ctx, name, `GRANT ${name} TO CURRENT_USER`);
  if (!state.database) await createDatabase(init, ctx, name, own ? name : undefined);
  if (state.open && own) await alone(admin, ctx, name, `REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
  return own
    ? { ...address, database: name, user: name, password: rolePassword(address.password ?? '', name) }
    : { ...address, database: name };
}

/** Sets the role's password again, after the administrator's has changed. */
export async function resetPassword(
  { admin, address, runtime }: ProvisionInit,
  ctx: Context,
  name: string,
): Promise<void> {
  const verifier = scramVerifier(rolePassword(address.password ?? '', name), runtime.random.bytes(16));
  await alone(admin, ctx, name, `ALTER ROLE ${name} PASSWORD '${verifier}'`);
}

/** Two processes that change the same right at the same moment are an error to PostgreSQL: one waits for the other. */
async function alone(admin: Database, ctx: Context, name: string, statement: string): Promise<void> {
  await admin.tx(ctx, async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`souk.provision.${name}`]);
    await tx.script(statement);
  });
}

/** @returns False when there may be no role: then the administrator's is used. */
async function createRole({ admin, address, runtime }: ProvisionInit, ctx: Context, name: string): Promise<boolean> {
  // Nothing secret to make its password of.
  if (address.password === undefined) return false;
  const verifier = scramVerifier(rolePassword(address.password, name), runtime.random.bytes(16));
  try {
    await admin.at(ctx).query(`CREATE ROLE ${name} LOGIN PASSWORD '${verifier}'`);
  } catch (error) {
    if (hasReason(error, 'STORE_ACCESS_DENIED')) return false;
    if (!isDuplicate(error)) throw error;
  }
  return true;
}

async function createDatabase(
  init: ProvisionInit,
  ctx: Context,
  name: string,
  owner: string | undefined,
): Promise<void> {
  try {
    await init.admin
      .at(ctx)
      .query(
        `CREATE DATABASE ${name} ${owner === undefined ? '' : `OWNER ${owner}`} TEMPLATE template0 ${locale(init.version)}`,
      );
  } catch (error) {
    if (isDuplicate(error)) return;
    if (!hasReason(error, 'STORE_ACCESS_DENIED')) throw error;
    throw postgresErrors.CANNOT_CREATE(
      { where: describeAddress(init.address), database: name, sqlState: '42501' },
      { cause: error },
    );
  }
}

/** Text sorts by code point on every server, so that cursors and unique indexes mean the same everywhere. */
function locale(version: number): string {
  if (version >= 180_000) return "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C'";
  if (version >= 170_000) return "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'";
  return "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'";
}

/** Another process was faster: 42710 and 42P04 say so, 23505 when both were at the catalogue at once. */
const isDuplicate = (error: unknown): boolean =>
  hasReason(error, 'STORE_UNIQUE_VIOLATION') || (isSoukError(error) && /\((42710|42P04)\)/.test(error.message));
