import { type Context, fromUnknown, type Logger, type Runtime, type SoukError } from '@souk/kernel';
import type { Policy } from '@souk/resilience';
import type { Database, Transaction } from '@souk/store';
import { createBell } from './bell.ts';
import { bury } from './burial.ts';
import type { BusDelivery } from './bus.ts';
import type { AttemptInit, Attempts, Outcome, Route } from './delivery.ts';
import type { Envelope } from './envelope.ts';
import { messagingErrors } from './errors.ts';
import { afterDelayedFailure, afterFirstFailures, isPermanent, RETRY_DELAYS_MS, TRIES_IN_PLACE } from './failure.ts';
import type { Instruments } from './instruments.ts';
import type { MessagingOptions } from './options.ts';
import { SENDS } from './outbox-relay.ts';
import { type ClaimedRetry, type Failure, failureOf, type RetryTable } from './retry-table.ts';

export interface EventConsumerInit {
  readonly consumer: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: MessagingOptions;
  readonly routes: ReadonlyMap<string, Route>;
  readonly attempts: Attempts;
  /** What handlers go through. */
  readonly policy?: Policy | undefined;
  readonly retries: RetryTable;
  readonly instruments: Instruments;
  /** For a few statements of our own, with a deadline of its own. */
  readonly context: () => Context;
  readonly isStopping: () => boolean;
  /** The bus goes on counting deliveries when a process dies. */
  readonly countsDeliveries: boolean;
}

/** Deliveries that did not come to an end, after which an event is tried alone; and the same again, after which it is dead. */
const DEATHS = 3;

/** Waits of a claim that cannot be ended because the database is away. Milliseconds. */
const FIRST_SETTLE_MS = 50;
const LAST_SETTLE_MS = 1000;

/** The retry table is looked at so often when nothing is in it: others may put something there. In `pollMs`. */
const IDLE_POLLS = 3;

/**
 * What happens to an event that is delivered to a service.
 *
 *   delivered --handled--> acknowledged
 *       |----retryable, twice----> put aside --delayed attempts--> acknowledged | dead letter
 *       |----behind a key that waits----> put aside behind it
 *       '----permanent----> dead letter
 *
 * I1 it is acknowledged only after what it changed, or the row that keeps it, is committed.
 * I2 events of an ordered key are handled one after another; while one is put aside, later ones are parked behind it.
 * I3 an event that can never be handled leaves at once, and holds nobody back unless its subscription says so.
 * I4 an event that takes the process with it reaches the dead letters: deaths are counted, by the relay and before each delayed attempt.
 * I5 what the policy refuses was not tried: no attempt counts, and it comes again, by the bus or out of the retry table.
 */
export class EventConsumer {
  readonly #init: EventConsumerInit;
  readonly #bell;
  /** False only when we know that nothing of this consumer is put aside; a stale answer is caught inside `once`. */
  #mayHaveRetries = true;
  /** Goes up with each event that was put aside, so that an answer from before it is not believed. */
  #puts = 0;
  #paused = false;
  #running: Promise<void> | undefined;

  constructor(init: EventConsumerInit) {
    this.#init = init;
    this.#bell = createBell(init.runtime.timers);
  }

  /** @throws what kept the event from being kept at all: the bus delivers it again */
  async receive({ envelope, delivery }: BusDelivery): Promise<void> {
    const { routes, instruments, consumer, runtime } = this.#init;
    const route = routes.get(envelope.type);
    if (route === undefined) {
      const error = messagingErrors.UNKNOWN_EVENT({ service: consumer, type: envelope.type });
      return this.#bury(undefined, laneOf(envelope), envelope, [failureOf(error, runtime)], error);
    }
    if (delivery > 1) instruments.redelivered.add(1, { type: route.type });
    else this.#observeDelay(envelope);
    const key = keyOf(route, envelope);
    if (this.#paused) return this.#setAside(key, envelope);
    // Whatever it does to processes, there its attempts are counted before they are made.
    if (deathsOf(envelope, delivery, this.#init.countsDeliveries) + 1 >= DEATHS) return this.#setAside(key, envelope);
    if (route.ordered && this.#mayHaveRetries && (await this.#park(key, envelope))) return;
    await this.#handle(route, key, envelope);
  }

  start(): void {
    this.#running ??= this.#retryLoop();
  }

  /** While it is paused, events are put aside in the order of their keys, so that they hold up nobody else's. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#bell.ring();
  }

  /** Something may be due that was not before. */
  wake(): void {
    this.#onPut();
    this.#bell.ring();
  }

  /** Resolves when no retry runs. */
  async stop(): Promise<void> {
    this.#bell.ring();
    await this.#running;
  }

  async #handle(route: Route, key: string, envelope: Envelope): Promise<void> {
    const { runtime, consumer } = this.#init;
    const failures: Failure[] = [];
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt({ route, envelope, attempt, key, mayBeBehind: true });
      if (outcome.is === 'handled') return;
      if (this.#init.isStopping()) throw messagingErrors.STOPPING({ service: consumer });
      if (outcome.is === 'behind') {
        if (await this.#park(key, envelope)) return;
        // The one before it has left in between: its turn has come.
        continue;
      }
      failures.push(failureOf(outcome.error, runtime));
      const verdict = afterFirstFailures(outcome.error, attempt, runtime.random);
      if (verdict.is === 'dead') return this.#bury(route, key, envelope, failures, outcome.error);
      if (verdict.is === 'later') return this.#putAside(key, envelope, verdict.afterMs, failures, outcome.error);
      await runtime.timers.sleep(verdict.afterMs);
    }
  }

  /** @throws what the policy refuses with */
  #attempt(init: AttemptInit): Promise<Outcome> {
    const { policy, attempts } = this.#init;
    return policy === undefined ? attempts.run(init) : policy.run(() => attempts.run(init), { idempotent: false });
  }

  async #setAside(key: string, envelope: Envelope): Promise<void> {
    using ctx = this.#init.context();
    await this.#init.retries.put(ctx, key, envelope, 0, []);
    this.wake();
  }

  async #park(key: string, envelope: Envelope): Promise<boolean> {
    using ctx = this.#init.context();
    const parked = await this.#init.retries.park(ctx, key, envelope);
    if (parked) this.#onPut();
    return parked;
  }

  async #putAside(
    key: string,
    envelope: Envelope,
    afterMs: number,
    failures: readonly Failure[],
    error: SoukError,
  ): Promise<void> {
    const { retries, log, consumer } = this.#init;
    using ctx = this.#init.context();
    await retries.put(ctx, key, envelope, afterMs, failures);
    this.#onPut();
    log.warn('an event is tried again later', { consumer, type: envelope.type, id: envelope.id, afterMs, err: error });
  }

  async #bury(
    route: Route | undefined,
    key: string,
    envelope: Envelope,
    failures: readonly Failure[],
    error: SoukError,
  ): Promise<void> {
    const { db, consumer, runtime, retries } = this.#init;
    using ctx = this.#init.context();
    const at = new Date(runtime.clock.now());
    if (blocks(route)) {
      await retries.block(ctx, key, envelope, (tx) => bury(tx, consumer, key, envelope, failures, at));
      this.#onPut();
    } else await bury(db.at(ctx), consumer, key, envelope, failures, at);
    this.#tellDead(envelope, error);
  }

  #tellDead(envelope: Envelope, error: SoukError): void {
    const { log, consumer } = this.#init;
    log.error('an event became a dead letter', { consumer, type: envelope.type, id: envelope.id, err: error });
  }

  async #retryLoop(): Promise<void> {
    const { options, log, isStopping } = this.#init;
    while (!isStopping()) {
      let restMs = options.pollMs;
      try {
        if (!this.#paused) restMs = await this.#retryDue();
      } catch (thrown) {
        log.warn('events put aside could not be looked at', { err: fromUnknown(thrown) });
      }
      if (restMs > 0 && !isStopping()) await this.#bell.rest(restMs);
    }
  }

  /** @returns how long there is nothing to do, in milliseconds */
  async #retryDue(): Promise<number> {
    const { retries, options } = this.#init;
    using ctx = this.#init.context();
    const seen = this.#puts;
    const { claimed, any, nextMs } = await retries.claim(ctx, options.retryConcurrency);
    if (this.#puts === seen) this.#mayHaveRetries = any;
    const ended = await Promise.allSettled(claimed.map((one) => this.#retry(one)));
    const refused = ended.find(({ status }) => status === 'rejected');
    if (refused !== undefined) throw (refused as PromiseRejectedResult).reason;
    if (claimed.length > 0) return 0;
    // Due by the one clock and not yet by the other: not at once again.
    return Math.min(Math.max(nextMs, 5), options.pollMs * (any ? 1 : IDLE_POLLS));
  }

  #onPut(): void {
    this.#puts++;
    this.#mayHaveRetries = true;
  }

  async #retry(claimed: ClaimedRetry): Promise<void> {
    const { routes, consumer, instruments, isStopping, retries } = this.#init;
    const { envelope, key } = claimed;
    const route = routes.get(envelope.type);
    instruments.redelivered.add(1, { type: envelope.type });
    if (route === undefined) {
      return this.#retryFailed(claimed, messagingErrors.UNKNOWN_EVENT({ service: consumer, type: envelope.type }));
    }
    // It was claimed as often as it may be and never came back: it took the process with it.
    if (claimed.lost >= DEATHS || claimed.attempts > RETRY_DELAYS_MS.length) {
      return this.#retryFailed(
        claimed,
        messagingErrors.ATTEMPTS_LOST({ type: envelope.type, attempts: claimed.attempts }),
      );
    }
    const attempt = TRIES_IN_PLACE + claimed.attempts;
    let outcome: Outcome;
    try {
      outcome = await this.#attempt({ route, envelope, attempt, key, mayBeBehind: false });
    } catch (refusal) {
      await this.#settle((ctx) => retries.giveBack(ctx, claimed));
      throw refusal;
    }
    if (outcome.is === 'handled') return this.#settle((ctx) => retries.finish(ctx, claimed));
    if (isStopping()) return this.#settle((ctx) => retries.giveBack(ctx, claimed));
    if (outcome.is === 'failed') await this.#retryFailed(claimed, outcome.error);
  }

  /**
   * Ends a claim, as often as it takes: one that nobody ended would look like one that took the process with it. Safe to repeat, and too
   * late when another has the event by then: the number of attempts is the fence.
   */
  async #settle(end: (ctx: Context) => Promise<void>): Promise<void> {
    const { context, isStopping, runtime } = this.#init;
    for (let waitMs = FIRST_SETTLE_MS; ; waitMs = Math.min(2 * waitMs, LAST_SETTLE_MS)) {
      try {
        using ctx = context();
        return await end(ctx);
      } catch (thrown) {
        if (isPermanent(fromUnknown(thrown)) || isStopping()) throw thrown;
      }
      await runtime.timers.sleep(waitMs);
    }
  }

  async #retryFailed(claimed: ClaimedRetry, error: SoukError): Promise<void> {
    const { retries, runtime, consumer } = this.#init;
    const failure = failureOf(error, runtime);
    const verdict =
      claimed.lost >= DEATHS ? ({ is: 'dead' } as const) : afterDelayedFailure(error, claimed.attempts, runtime.random);
    if (verdict.is !== 'dead') {
      const { afterMs } = verdict;
      return this.#settle((ctx) => retries.postpone(ctx, claimed, afterMs, failure));
    }
    const failures = [...claimed.failures, failure];
    const at = new Date(runtime.clock.now());
    const { key, envelope } = claimed;
    const burial = (tx: Transaction) => bury(tx, consumer, key, envelope, failures, at);
    const isBlocking = blocks(this.#init.routes.get(envelope.type));
    await this.#settle((ctx) =>
      isBlocking ? retries.blockClaimed(ctx, claimed, burial) : retries.finish(ctx, claimed, burial),
    );
    this.#tellDead(claimed.envelope, error);
  }

  #observeDelay({ type, time }: Envelope): void {
    const delayMs = this.#init.runtime.clock.now() - Date.parse(time);
    // Clocks of two machines differ a little.
    this.#init.instruments.relaySeconds.observe(Math.max(0, delayMs) / 1000, { type });
  }
}

/** Under which an event waits. One that has no order waits for itself only. */
const keyOf = ({ ordered }: Route, envelope: Envelope): string =>
  ordered ? laneOf(envelope) : `${envelope.source}!${envelope.id}`;

const laneOf = ({ source, key }: Envelope): string => `${source}#${key}`;

const blocks = (route: Route | undefined): boolean => route?.ordered === true && route.onDeadLetter === 'block';

/** How often a process may have died of an event: as the relay that sent it says, or the bus. */
const deathsOf = ({ extensions }: Envelope, delivery: number, countsDeliveries: boolean): number =>
  Math.max(Number(extensions?.[SENDS] ?? 0) || 0, countsDeliveries ? delivery - 1 : 0);
