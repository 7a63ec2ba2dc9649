import type { Context } from '@souk/kernel';

export interface QueryResult<TRow> {
  readonly rows: TRow[];
  /** Rows read or changed. */
  readonly rowCount: number;
}

/**
 * Runs SQL. Every text is prepared once per connection and then run by name, so texts must be constants: values go into
 * `values`, never into the text.
 *
 * Types: int8 and numeric arrive as bigint and string, timestamptz as Date, jsonb parsed, bytea as Uint8Array. In `values`,
 * bigint, Date, Uint8Array, arrays and (for jsonb) strings made by JSON.stringify are accepted.
 * date and timestamp without zone arrive as strings, bigint[] as bigint[].
 *
 * A comment at the very start names the operation in metrics and spans: `/* reserve-stock *\/ UPDATE …`.
 *
 * @throws SoukError: unique violation `STORE_UNIQUE_VIOLATION` (details.constraint), check violation `STORE_CHECK_VIOLATION`,
 * foreign key `STORE_FOREIGN_KEY_VIOLATION`, serialization failure and deadlock `STORE_CONFLICT` (retry later), statement timeout
 * and cancellation as deadline_exceeded or canceled, no free connection in time `STORE_POOL_EXHAUSTED`, connection trouble
 * `STORE_UNAVAILABLE` (retry later: nothing happened) or `STORE_OUTCOME_UNKNOWN` (a COMMIT or a statement of its own was under way).
 */
export interface Sql {
  query<TRow = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<TRow>>;
}

export interface Transaction extends Sql {
  /** The context of the transaction's attempt. */
  readonly ctx: Context;
  /**
   * Runs a statement whose answer nobody needs: it goes out with the next one that is awaited, or with the COMMIT, in the same round
   * trip. When it fails, that one fails with its error. Statements run in the order they were given, deferred or not.
   */
  defer(text: string, values?: readonly unknown[]): void;
  /** Runs one or more statements without values, unprepared. For what is run once: migrations. */
  script(text: string): Promise<void>;
  /** Runs after the commit was acknowledged, in the order of registration; not at all on rollback. Must not throw. */
  afterCommit(run: () => void): void;
}

export interface TransactionOptions {
  /** @default 'read committed' */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readonly readOnly?: boolean;
  /** Attempts in all when the database reports a serialization failure or deadlock. @default 5 */
  readonly attempts?: number;
}

/** One service's own database. */
export interface Database {
  /** Name of the service. */
  readonly name: string;
  /** Single statements, each its own transaction; limited by the deadline of `ctx`. */
  at(ctx: Context): Sql;
  /**
   * Runs `work` in a transaction and commits it. `work` may run several times (serialization failure, deadlock), so it has no effects
   * outside the transaction. The statement timeout is what is left of the context's deadline.
   */
  tx<T>(ctx: Context, work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** A connection of its own that listens. `onNotify` runs per notification; `onReconnect` after a gap, when some may be lost. */
  listen(
    channel: string,
    handlers: { onNotify(payload: string): void; onReconnect(): void },
  ): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
}

/** Where the databases of services come from: one server, a database and a login role for each. */
export interface DatabaseServer {
  /** Starts or reaches the server. */
  start(): Promise<void>;
  /** Creates the service's role and database when they are missing and opens a pool. */
  open(service: string, options?: { readonly poolSize?: number }): Promise<Database>;
  /** Stops or lets go of the server. All databases are closed before. */
  stop(): Promise<void>;
  /** For people: where the data is; never a password. */
  describe(): string;
}
