import { type Context, hasReason, type Logger, type Runtime, rootContext, type SoukError } from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import type { Database, DatabaseServer } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { describeAddress, type PostgresAddress, parseAddress, toUrl } from './address.ts';
import { createDatabase } from './database.ts';
import { postgresErrors } from './errors.ts';
import type { PoolOptions } from './options.ts';
import { type ProvisionInit, provision, resetPassword } from './provision.ts';

/** A server that somebody else starts and stops: the embedded one. */
export interface PostgresSource {
  /** @returns How its administrator signs in. */
  start(): Promise<PostgresAddress>;
  stop(): Promise<void>;
  describe(): string;
}

export interface PostgresServerInit {
  readonly runtime: Runtime;
  readonly log: Logger;
  /** The server in which databases and roles are made: a URL, or what starts one. Not needed when every service has a URL. */
  readonly server?: PostgresSource | string | undefined;
  /** Databases that exist already, by name of the service; nothing is created for these. */
  readonly serviceUrls?: Readonly<Record<string, string>> | undefined;
  readonly telemetryFor?: ((service: string) => Telemetry) | undefined;
  /** Begins the name of each database and role. @default 'souk' */
  readonly prefix?: string | undefined;
  readonly pool?: Partial<PoolOptions> | undefined;
  /** Around the connections of each service. */
  readonly policies?: PolicyRegistry | undefined;
  /** Longest wait at start for a server that does not answer yet, in milliseconds. @default 15000 */
  readonly waitMs?: number | undefined;
}

export interface PostgresServer extends DatabaseServer {
  /** Creates what is missing for a service, and says how it signs in. Holds a password: for the settings of another process only. */
  urlOf(service: string): Promise<string>;
}

/** As `server_version_num` says it. */
const OLDEST_VERSION = 150_000;
const WAIT_MS = 15_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1000;

/** Time for all that is done to create one database, in milliseconds. */
const PROVISION_MS = 60_000;

/** Connections of the administrator: databases are made side by side. */
const ADMIN_POOL_SIZE = 4;

/** Databases of services on one PostgreSQL server. */
export function createPostgresServer(init: PostgresServerInit): PostgresServer {
  const { runtime, log, server } = init;
  const source: PostgresSource | undefined = typeof server === 'string' ? reachable(server) : server;
  let provisioner: ProvisionInit | undefined;

  const withContext = async <T>(work: (ctx: Context) => Promise<T>): Promise<T> => {
    using ctx = rootContext({ runtime, timeoutMs: PROVISION_MS });
    return work(ctx);
  };

  const addressOf = async (ctx: Context, service: string): Promise<PostgresAddress> => {
    const url = init.serviceUrls?.[service];
    if (url !== undefined) return parseAddress(url, `${service.toUpperCase().replaceAll('-', '_')}_DATABASE_URL`);
    if (provisioner === undefined) throw postgresErrors.NOT_STARTED();
    return provision(provisioner, ctx, nameOf(service));
  };

  const nameOf = (service: string): string => `${init.prefix ?? 'souk'}_${service.replaceAll('-', '_')}`;

  const openPool = (service: string, address: PostgresAddress, poolSize?: number): Database =>
    createDatabase({
      service,
      address,
      runtime,
      log,
      telemetry: init.telemetryFor?.(service),
      policies: init.policies,
      options: { ...init.pool, ...(poolSize === undefined ? {} : { poolSize }) },
    });

  const openChecked = async (
    ctx: Context,
    service: string,
    address: PostgresAddress,
    poolSize?: number,
  ): Promise<Database> => {
    const db = openPool(service, address, poolSize);
    try {
      await checkVersion(db, ctx, address);
      return db;
    } catch (error) {
      await db.close();
      throw error;
    }
  };

  return {
    start: async () => {
      if (source === undefined) return;
      const address = await source.start();
      const admin = createDatabase({ service: 'admin', address, runtime, log, options: { poolSize: ADMIN_POOL_SIZE } });
      try {
        const version = await waitFor(admin, address);
        provisioner = { admin, address, version, runtime, log };
      } catch (error) {
        await admin.close();
        await source.stop();
        throw error;
      }
    },
    open: (service, options = {}) =>
      withContext(async (ctx) => {
        const address = await addressOf(ctx, service);
        try {
          return await openChecked(ctx, service, address, options.poolSize);
        } catch (error) {
          const ours = provisioner !== undefined && init.serviceUrls?.[service] === undefined;
          if (!ours || address.user !== nameOf(service) || !hasReason(error, 'POSTGRES_ACCESS_DENIED')) throw error;
          await resetPassword(provisioner as ProvisionInit, ctx, address.user);
          return openChecked(ctx, service, address, options.poolSize);
        }
      }),
    urlOf: (service) => withContext(async (ctx) => toUrl(await addressOf(ctx, service))),
    stop: async () => {
      await provisioner?.admin.close();
      provisioner = undefined;
      await source?.stop();
    },
    describe: () => source?.describe() ?? 'PostgreSQL, a URL for each service',
  };

  /** A server that is started at the same time may answer a little later. */
  async function waitFor(admin: Database, address: PostgresAddress): Promise<number> {
    using ctx = rootContext({ runtime, timeoutMs: init.waitMs ?? WAIT_MS });
    using _ = keepAlive();
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
      try {
        return await checkVersion(admin, ctx, address);
      } catch (error) {
        if (!hasReason(error, 'POSTGRES_UNREACHABLE') || ctx.remainingMs() <= waitMs) throw error;
        if (waitMs === FIRST_WAIT_MS) log.info('waiting for PostgreSQL', { where: describeAddress(address) });
        await runtime.timers.sleep(waitMs, ctx.signal);
      }
    }
  }
}

async function checkVersion(db: Database, ctx: Context, address: PostgresAddress): Promise<number> {
  const where = describeAddress(address);
  let version: number;
  try {
    const { rows } = await db
      .at(ctx)
      .query<{ version: number }>("SELECT current_setting('server_version_num')::int AS version");
    version = rows[0]?.version ?? 0;
  } catch (thrown) {
    throw explain(thrown as SoukError, where);
  }
  if (version >= OLDEST_VERSION) return version;
  const wanted = Math.floor(OLDEST_VERSION / 10_000);
  throw postgresErrors.TOO_OLD({ where, version: Math.floor(version / 10_000), wanted });
}

function explain(error: SoukError, where: string): SoukError {
  const cause = error.cause as (Error & { code?: string }) | undefined;
  if (error.reason === 'STORE_ACCESS_DENIED') {
    return postgresErrors.ACCESS_DENIED({ where, sqlState: cause?.code ?? 'unknown' }, { cause: error });
  }
  if (error.code === 'unavailable') {
    return postgresErrors.UNREACHABLE({ where, why: cause?.code ?? cause?.message ?? error.message }, { cause: error });
  }
  return error;
}

function reachable(url: string): PostgresSource {
  const address = parseAddress(url);
  return {
    start: () => Promise.resolve(address),
    stop: () => Promise.resolve(),
    describe: () => `PostgreSQL at ${describeAddress(address)}`,
  };
}

/** Timers do not keep a process alive, and while nobody answers there may be nothing else that does. */
function keepAlive(): Disposable {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {};
  return { [Symbol.dispose]: () => port2.close() };
}
