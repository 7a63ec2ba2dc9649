import { type Context, fromUnknown, type Logger, type Runtime, type SoukError } from '@souk/kernel';
import type { PolicyRegistry } from '@souk/resilience';
import type { Database, QueryResult, Sql } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import type { PostgresAddress } from './address.ts';
import { type Checkout, classifyCheckout, createCheckout } from './checkout.ts';
import type { Connection, DriverResult } from './connection.ts';
import { endsSession, fromDriver, isStalePlan } from './errors.ts';
import { createListener } from './listener.ts';
import { createObserver, type Observer } from './observe.ts';
import { type PoolOptions, poolDefaults } from './options.ts';
import { createPool, type Pool } from './pool.ts';
import { createStatements, type Statement } from './statements.ts';
import { runTransaction } from './transaction.ts';

export interface DatabaseInit {
  /** Name of the service. */
  readonly service: string;
  readonly address: PostgresAddress;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly telemetry?: Telemetry | undefined;
  readonly options?: Partial<PoolOptions> | undefined;
  /** Connections are taken under `sql:<service>`. Without it an outage is found out by each call for itself. */
  readonly policies?: PolicyRegistry | undefined;
}

/** What statements of a database share. */
export interface Session {
  readonly service: string;
  readonly runtime: Runtime;
  readonly pool: Pool;
  readonly checkout: Checkout;
  readonly observer: Observer;
  readonly statements: { of(text: string): Statement };
}

/** Opens a pool; connects when the first statement comes. */
export function createDatabase(init: DatabaseInit): Database {
  const { service, address, runtime, log } = init;
  const options = { ...poolDefaults, ...init.options };
  const connectionInit = { address, applicationName: `souk-${service}`, runtime, options };
  const pool = createPool(service, connectionInit);
  const policy = init.policies?.policy(`sql:${service}`, 'sql', { classify: classifyCheckout });
  const session: Session = {
    service,
    runtime,
    pool,
    checkout: createCheckout(service, pool, policy),
    observer: createObserver({
      telemetry: init.telemetry,
      runtime,
      database: address.database,
      slowMs: options.slowMs,
      pool: pool.state,
    }),
    statements: createStatements(() => log.warn('too many SQL texts: more are not prepared', { service })),
  };
  const listener = createListener({ ...connectionInit, log });
  return {
    name: service,
    at: (ctx) => new SingleStatements(session, ctx),
    tx: (ctx, work, transaction = {}) => runTransaction(session, ctx, work, transaction),
    listen: (channel, handlers) => listener.listen(channel, handlers),
    close: async () => {
      await Promise.all([listener.close(), pool.close()]);
    },
  };
}

class SingleStatements implements Sql {
  readonly #session: Session;
  readonly #ctx: Context;

  constructor(session: Session, ctx: Context) {
    this.#session = session;
    this.#ctx = ctx;
  }

  async query<TRow>(text: string, values?: readonly unknown[]): Promise<QueryResult<TRow>> {
    const ctx = this.#ctx;
    const { pool, checkout, observer, statements } = this.#session;
    const statement = statements.of(text);
    ctx.throwIfDone();
    const connection = await checkout(ctx);
    const { signal } = ctx;
    let canceling: Promise<void> | undefined;
    const onAbort = (): void => {
      canceling = connection.cancel();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const span = observer.span(ctx, statement);
    const beganMs = observer.begin();
    let error: SoukError | undefined;
    try {
      const result = await this.#run(connection, statement, values);
      // The request to cancel came too late for this statement and must not hit the next.
      if (canceling !== undefined) connection.destroy();
      return { rows: result.rows, rowCount: result.rowCount ?? 0 };
    } catch (thrown) {
      if (endsSession(thrown)) connection.destroy();
      error = fromDriver(thrown, true);
      if (canceling !== undefined && error.reason === 'STORE_CANCELED') error = fromUnknown(signal.reason);
      throw error;
    } finally {
      observer.end(ctx, statement, beganMs, span, error);
      signal.removeEventListener('abort', onAbort);
      if (canceling === undefined) pool.release(connection);
      else void canceling.then(() => pool.release(connection));
    }
  }

  async #run(
    connection: Connection,
    statement: Statement,
    values: readonly unknown[] | undefined,
  ): Promise<DriverResult> {
    try {
      return await connection.run(statement, values);
    } catch (thrown) {
      if (!isStalePlan(thrown)) throw thrown;
      await connection.forget(statement);
      return connection.run(statement, values);
    }
  }
}
