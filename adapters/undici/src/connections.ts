import type { Counter, Gauge, Telemetry } from '@souk/telemetry';
import { Client } from 'undici';

/** A connection with one call at a time. Connects when it is first used, and again after it was lost. */
export interface Connection {
  readonly client: Client;
  /** Answers that came over the connection as it is now: 0 after it was made anew. */
  answers: number;
}

/** A call that wants a connection. */
export interface Applicant {
  /** It is the applicant's until it is given back. */
  onConnection(connection: Connection): void;
}

export interface ConnectionsInit {
  /** `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly client: Client.Options;
  readonly limit: number;
  readonly maxWaiting: number;
  readonly counts: ConnectionCounts | undefined;
}

/*
 * N1 A connection has one call at a time, and what was dropped has none any more.
 * N2 Who waits is served in the order of coming, as soon as there is a connection.
 * N3 Once closed, it has nothing left when the last call has ended.
 */

/** Connections to one instance. The one used last is used next, so that those which are not needed grow old and go. */
export class Connections {
  readonly #init: ConnectionsInit;
  readonly #idle: Connection[] = [];
  readonly #busy = new Set<Connection>();
  readonly #waiting = new Set<Applicant>();
  #closed: PromiseWithResolvers<void> | undefined = undefined;

  constructor(init: ConnectionsInit) {
    this.#init = init;
  }

  /** Gives a connection to the applicant, now or later. False: too many wait already, or this is closed. */
  request(applicant: Applicant): boolean {
    if (this.#closed !== undefined) return false;
    const idle = this.#idle.pop();
    if (idle !== undefined) this.#give(idle, applicant);
    else if (this.#busy.size < this.#init.limit) this.#give(this.#open(), applicant);
    else if (this.#waiting.size < this.#init.maxWaiting) this.#waiting.add(applicant);
    else return false;
    return true;
  }

  /** The applicant does not wait any more. */
  leave(applicant: Applicant): void {
    this.#waiting.delete(applicant);
  }

  /** The call is over, and the connection good for another. */
  giveBack(connection: Connection): void {
    if (!this.#busy.delete(connection)) return;
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      this.#give(connection, next);
    } else if (this.#closed === undefined) this.#idle.push(connection);
    else this.#end(connection);
  }

  /** The call is over, and so is the connection. */
  drop(connection: Connection): void {
    if (!this.#busy.delete(connection)) return;
    this.#end(connection);
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#give(this.#open(), next);
  }

  /** Closes what has nothing to do: when one idle connection turned out to be dead, the others are no better. */
  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) this.#end(connection);
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      this.dropIdle();
      this.#settle();
    }
    return this.#closed.promise;
  }

  #give(connection: Connection, applicant: Applicant): void {
    this.#busy.add(connection);
    applicant.onConnection(connection);
  }

  #open(): Connection {
    const { origin, client: options, counts } = this.#init;
    const client = new Client(origin, options);
    const connection: Connection = { client, answers: 0 };
    client.on('connect', () => {
      connection.answers = 0;
      counts?.open.add(1, {});
      counts?.connects.add(1, CONNECTED);
    });
    client.on('disconnect', () => {
      counts?.open.add(-1, {});
      const at = this.#idle.indexOf(connection);
      if (at === -1) return;
      this.#idle.splice(at, 1);
      this.#end(connection);
    });
    client.on('connectionError', () => counts?.connects.add(1, FAILED));
    return connection;
  }

  #end({ client }: Connection): void {
    // The client may be in the middle of telling its call of the end.
    queueMicrotask(() => void client.destroy());
    this.#settle();
  }

  #settle(): void {
    if (this.#busy.size === 0 && this.#waiting.size === 0) this.#closed?.resolve();
  }
}

export interface ConnectionCounts {
  readonly open: Gauge<never>;
  readonly connects: Counter<'outcome'>;
}

export const CONNECTED = { outcome: 'ok' } as const;
export const FAILED = { outcome: 'failed' } as const;

export const connectionCounts = ({ metrics }: Telemetry): ConnectionCounts => ({
  open: metrics.gauge({ name: 'rpc_client_connections', help: 'Open connections to instances of other services.' }),
  connects: metrics.counter({
    name: 'rpc_client_connects_total',
    help: 'Attempts to connect to an instance.',
    labels: ['outcome'],
  }),
});
