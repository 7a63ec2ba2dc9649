import { connect as connectSocket } from 'node:net';
import type { Runtime } from '@souk/kernel';
import pg from 'pg';
import type { PostgresAddress } from './address.ts';
import type { PoolOptions } from './options.ts';
import type { Statement } from './statements.ts';
import { typeParsers } from './types.ts';

export interface ConnectionInit {
  readonly address: PostgresAddress;
  readonly applicationName: string;
  readonly runtime: Runtime;
  readonly options: PoolOptions;
}

/** Parts of the driver's client that its types leave out. */
interface DriverClient extends pg.Client {
  readonly connection: pg.Connection & { readonly parsedStatements: Record<string, string> };
  readonly processID: number | null;
  readonly secretKey: number | null;
  ref(): void;
  unref(): void;
}

/** Code of a CancelRequest (PostgreSQL protocol 3.0, section "Message Formats"). */
const CANCEL_REQUEST = 80_877_102;

/** What the driver makes of an answer. */
export type DriverResult = pg.QueryResult;

/** One session. One user at a time; statements are answered in the order they were sent. */
export interface Connection {
  run(statement: Statement, values: readonly unknown[] | undefined): Promise<pg.QueryResult>;
  /** One or more statements by the simple protocol; the result of the last. */
  /** Forgets that a statement was prepared, so that it is prepared anew. Not inside a failed transaction. */
  forget(statement: Statement): Promise<void>;
  script(text: string): Promise<pg.QueryResult>;
  /** What is sent inside goes out in one packet. */
  together(send: () => void): void;
  /**
   * Asks the server to stop what this connection runs, and cuts the connection when that does not help in time. Resolves when the
   * server has taken note, so that the request cannot hit a later statement.
   */
  cancel(): Promise<void>;
  /** Cuts the connection when what was sent so far is not answered in time. */
  cutLater(): void;
  /** Whether the connection keeps the process alive. */
  hold(alive: boolean): void;
  /** Cuts the connection at once: what was under way fails. */
  destroy(): void;
  end(): Promise<void>;
  onNotification(handle: (channel: string, payload: string) => void): void;
  readonly broken: boolean;
  /** Monotonic milliseconds of the last release to the pool. */
  idleSinceMs: number;
}

/** @throws what the driver throws */
export async function openConnection(
  init: ConnectionInit,
  onBroken: (connection: Connection) => void,
): Promise<Connection> {
  const { options, runtime } = init;
  const client = new pg.Client(driverConfig(init)) as DriverClient;
  let broken = false;
  let sent = 0;
  let answered = 0;
  const connecting = runtime.timers.after(options.connectMs, () =>
    stream(client).destroy(new Error('no answer in time')),
  );
  const markBroken = (): void => {
    if (broken) return;
    broken = true;
    onBroken(connection);
  };
  // Without a listener the driver's error would end the process; whoever runs a statement gets the error as well.
  client.on('error', markBroken);
  client.on('end', markBroken);

  const connection: Connection = {
    idleSinceMs: 0,
    get broken() {
      return broken;
    },
    run: (statement, values) =>
      new Promise((resolve, reject) => {
        const query = { name: statement.name as string, text: statement.text, values: values as unknown[] };
        sent++;
        void client.query(query, (error: Error | null, result: pg.QueryResult) => {
          answered++;
          if (error) reject(error);
          else resolve(result);
        });
      }),
    forget: async ({ name }) => {
      if (name === undefined) return;
      await connection.script(`DEALLOCATE ${name}`);
      delete client.connection.parsedStatements[name];
    },
    script: (text) =>
      new Promise((resolve, reject) => {
        sent++;
        void client.query(text, (error: Error | null, result: pg.QueryResult | pg.QueryResult[]) => {
          answered++;
          if (error) reject(error);
          else resolve(Array.isArray(result) ? (result.at(-1) as pg.QueryResult) : result);
        });
      }),
    together: (send) => {
      stream(client).cork();
      try {
        send();
      } finally {
        stream(client).uncork();
      }
    },
    cancel: () => {
      connection.cutLater();
      return requestCancel(init, client);
    },
    cutLater: () => {
      const upTo = sent;
      runtime.timers.after(options.cancelMs, () => {
        if (answered < upTo) connection.destroy();
      });
    },
    hold: (alive) => (alive ? client.ref() : client.unref()),
    onNotification: (handle) => {
      client.on('notification', ({ channel, payload }) => handle(channel, payload ?? ''));
    },
    destroy: () => {
      markBroken();
      stream(client).destroy();
    },
    end: async () => {
      broken = true;
      const cut = runtime.timers.after(options.cancelMs, () => stream(client).destroy());
      await client.end();
      cut.cancel();
    },
  };

  try {
    await client.connect();
  } catch (error) {
    stream(client).destroy();
    throw error;
  } finally {
    connecting.cancel();
  }
  return connection;
}

const stream = (client: pg.Client) => client.connection.stream;

function driverConfig({ address, applicationName, options }: ConnectionInit): pg.ClientConfig {
  return {
    host: address.host,
    port: address.port,
    user: address.user,
    // A function keeps the driver from looking for a password in files.
    password: () => address.password ?? '',
    database: address.database,
    ssl: address.tls === undefined ? false : { rejectUnauthorized: address.tls === 'verify' },
    application_name: applicationName,
    // Texts are constants whose values do not change what plan is good; planning anew for each set of values costs more than most
    // statements. A text that wants different plans for different values is two texts.
    options: '-c plan_cache_mode=force_generic_plan',
    idle_in_transaction_session_timeout: options.idleInTransactionMs,
    keepAlive: true,
    // A transaction sends BEGIN and its first statement together; a session is never shared, so nothing else is in between.
    pipeline: true,
    types: typeParsers,
  };
}

function requestCancel({ address, runtime, options }: ConnectionInit, client: DriverClient): Promise<void> {
  const { processID, secretKey } = client;
  if (processID === null || secretKey === null) return Promise.resolve();
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(CANCEL_REQUEST, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = address.host.startsWith('/')
    ? connectSocket(`${address.host}/.s.PGSQL.${address.port}`)
    : connectSocket(address.port, address.host);
  // Without an answer the connection is cut a little later.
  socket.on('error', () => {});
  // The server closes once it has signalled the session.
  const limit = runtime.timers.after(options.cancelMs, () => socket.destroy());
  socket.on('close', () => {
    limit.cancel();
    resolve();
  });
  socket.resume().end(request);
  return promise;
}
