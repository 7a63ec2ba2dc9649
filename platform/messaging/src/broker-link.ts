import { fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Metrics } from '@souk/telemetry';
import type { BusHealth } from './bus.ts';
import { messagingErrors } from './errors.ts';

/** One connection, from the end of its set-up to its loss. */
export interface BrokerSession {
  /** Resolves when the connection is gone, with why. */
  readonly ended: Promise<unknown>;
  /** Hands over what is under way, and ends. With a server that does not answer it may never resolve. */
  close(): Promise<void>;
  /** Ends it at once: `ended` resolves soon, whatever the server does. */
  fail(why: unknown): void;
}

export interface BrokerLinkInit<TSession extends BrokerSession> {
  readonly bus: string;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly metrics: Metrics | undefined;
  /** Connects and brings everything up: what is lost is made again here, and nowhere else. Ends early when the signal aborts. */
  open(signal: AbortSignal): Promise<TSession>;
}

/** `start` waits no longer for the first connection. */
const START_MS = 5000;
/** A server that has not let go of us by then is left behind. */
const CLOSE_MS = 5000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** A connection that held so long begins the pauses anew. */
const STABLE_MS = 2000;

/**
 * Keeps one connection up, for ever.
 *
 *   connecting --open--> connected --ended--> (pause) --> connecting ...      close(): --> closed
 *
 * The client library's own reconnecting is off: a connection that comes back by itself may find streams, queues and consumers gone, and
 * sends what was buffered for the old one. With one way up there is one way to be right.
 */
export class BrokerLink<TSession extends BrokerSession> {
  readonly #init: BrokerLinkInit<TSession>;
  readonly #closing = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #session: TSession | undefined;
  #sinceMs: number;
  #lastError: string | undefined;

  constructor(init: BrokerLinkInit<TSession>) {
    this.#init = init;
    this.#sinceMs = init.runtime.clock.monotonicMs();
  }

  async start(): Promise<void> {
    this.#running ??= this.#run();
    const { timers } = this.#init.runtime;
    const timer = timers.after(START_MS, () => this.#first.resolve());
    await this.#first.promise;
    timer.cancel();
  }

  get session(): TSession | undefined {
    return this.#session;
  }

  /** @throws MESSAGING_BUS_UNAVAILABLE */
  demand(): TSession {
    if (this.#session !== undefined) return this.#session;
    throw messagingErrors.BUS_UNAVAILABLE({ bus: this.#init.bus, why: this.#lastError ?? 'not connected yet' });
  }

  health(): BusHealth {
    const state = this.#closing.signal.aborted ? 'closed' : this.#session === undefined ? 'connecting' : 'connected';
    const sinceMs = this.#init.runtime.clock.monotonicMs() - this.#sinceMs;
    return { state, sinceMs, lastError: this.#lastError };
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#sinceMs = this.#init.runtime.clock.monotonicMs();
    this.#closing.abort();
    if (this.#session !== undefined) await this.#end(this.#session);
    await this.#running;
  }

  async #end(session: TSession): Promise<void> {
    const { bus, runtime, log } = this.#init;
    const timer = runtime.timers.after(CLOSE_MS, () => {
      log.warn('the broker did not answer the good-bye', { bus, waitedMs: CLOSE_MS });
      session.fail(messagingErrors.BUS_UNAVAILABLE({ bus, why: 'it does not answer' }));
    });
    await Promise.race([session.close(), session.ended]);
    timer.cancel();
  }

  async #run(): Promise<void> {
    const { runtime, log, bus, metrics } = this.#init;
    const { signal } = this.#closing;
    const lost = metrics?.counter({
      name: 'souk_bus_connection_failures_total',
      help: 'Connections to the broker that were lost or could not be made.',
      labels: ['bus'],
    });
    for (let failures = 0; !signal.aborted; failures++) {
      const sinceMs = runtime.clock.monotonicMs();
      try {
        const session = await this.#init.open(signal);
        this.#turn(session);
        log.info('connected to the broker', { bus });
        this.#first.resolve();
        if (signal.aborted) await this.#end(session);
        const why = await session.ended;
        if (!signal.aborted) this.#lastError = describeFault(why ?? 'the server closed the connection');
      } catch (thrown) {
        this.#lastError = describeFault(thrown);
        log.debug('the broker could not be reached', { bus, err: fromUnknown(thrown) });
      }
      if (signal.aborted) break;
      if (this.#session !== undefined) this.#turn(undefined);
      lost?.add(1, { bus });
      if (runtime.clock.monotonicMs() - sinceMs >= STABLE_MS) failures = 0;
      const delayMs = runtime.random.next() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
      log.warn('no connection to the broker', { bus, why: this.#lastError, delayMs });
      await runtime.timers.sleep(delayMs, signal).catch(() => {});
    }
    this.#session = undefined;
    this.#first.resolve();
  }

  #turn(session: TSession | undefined): void {
    this.#session = session;
    this.#sinceMs = this.#init.runtime.clock.monotonicMs();
  }
}

/** Node says of an address with two families only that all attempts failed. */
export function describeFault(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '' && thrown.errors.length > 0) {
    return describeFault(thrown.errors[0]);
  }
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : describeFault(thrown.cause);
  return cause === '' || thrown.message.includes(cause) ? thrown.message : `${thrown.message}: ${cause}`;
}
