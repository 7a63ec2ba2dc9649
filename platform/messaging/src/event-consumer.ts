import { type Context, fromUnknown, type Logger, type Runtime, type SoukError } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createBell } from './bell.ts';
import type { BusDelivery } from './bus.ts';
import { bury } from './dead-letters.ts';
import type { Attempts, Route } from './delivery.ts';
import type { Envelope } from './envelope.ts';
import { messagingErrors } from './errors.ts';
import { afterDelayedFailure, afterFirstFailures, RETRY_DELAYS_MS, TRIES_IN_PLACE } from './failure.ts';
import type { Instruments } from './instruments.ts';
import type { MessagingOptions } from './options.ts';
import { type ClaimedRetry, type Failure, failureOf, type RetryTable } from './retry-table.ts';

export interface EventConsumerInit {
  readonly consumer: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: MessagingOptions;
  readonly routes: ReadonlyMap<string, Route>;
  readonly attempts: Attempts;
  readonly retries: RetryTable;
  readonly instruments: Instruments;
  /** For a few statements of our own, with a deadline of its own. */
  readonly context: () => Context;
  readonly isStopping: () => boolean;
}

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
 * I3 an event that can never be handled leaves at once, and holds nobody back.
 */
export class EventConsumer {
  readonly #init: EventConsumerInit;
  readonly #bell;
  /** False only when we know that nothing of this consumer is put aside; a stale answer is caught inside `once`. */
  #mayHaveRetries = true;
  /** Goes up with each event that was put aside, so that an answer from before it is not believed. */
  #puts = 0;
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
      return this.#bury(envelope, [failureOf(error, runtime)], error);
    }
    if (delivery > 1) instruments.redelivered.add(1, { type: route.type });
    else this.#observeDelay(envelope);
    const key = keyOf(route, envelope);
    if (route.ordered && this.#mayHaveRetries && (await this.#park(key, envelope))) return;
    await this.#handle(route, key, envelope);
  }

  start(): void {
    this.#running ??= this.#retryLoop();
  }

  /** Resolves when no retry runs. */
  async stop(): Promise<void> {
    this.#bell.ring();
    await this.#running;
  }

  async #handle(route: Route, key: string, envelope: Envelope): Promise<void> {
    const { runtime, attempts, consumer } = this.#init;
    const failures: Failure[] = [];
    for (let attempt = 1; ; attempt++) {
      const outcome = await attempts.run({ route, envelope, attempt, key, mayBeBehind: true });
      if (outcome.is === 'handled') return;
      if (this.#init.isStopping()) throw messagingErrors.STOPPING({ service: consumer });
      if (outcome.is === 'behind') {
        if (await this.#park(key, envelope)) return;
        // The one before it has left in between: its turn has come.
        continue;
      }
      failures.push(failureOf(outcome.error, runtime));
      const verdict = afterFirstFailures(outcome.error, attempt, runtime.random);
      if (verdict.is === 'dead') return this.#bury(envelope, failures, outcome.error);
      if (verdict.is === 'later') return this.#putAside(key, envelope, verdict.afterMs, failures, outcome.error);
      await runtime.timers.sleep(verdict.afterMs);
    }
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

  async #bury(envelope: Envelope, failures: readonly Failure[], error: SoukError): Promise<void> {
    const { db, consumer, runtime } = this.#init;
    using ctx = this.#init.context();
    await bury(db.at(ctx), consumer, envelope, failures, new Date(runtime.clock.now()));
    this.#tellDead(envelope, error);
  }

  #tellDead(envelope: Envelope, error: SoukError): void {
    const { log, consumer } = this.#init;
    log.error('an event became a dead letter', { consumer, type: envelope.type, id: envelope.id, err: error });
  }

  async #retryLoop(): Promise<void> {
    const { options, log, isStopping } = this.#init;
    while (!isStopping()) {
      try {
        if (await this.#retryDue()) continue;
      } catch (thrown) {
        log.warn('events put aside could not be looked at', { err: fromUnknown(thrown) });
      }
      if (!isStopping()) await this.#bell.rest(options.pollMs);
    }
  }

  /** @returns whether there may be more to do at once */
  async #retryDue(): Promise<boolean> {
    const { retries, options } = this.#init;
    using ctx = this.#init.context();
    const seen = this.#puts;
    const { claimed, any } = await retries.claim(ctx, options.retryConcurrency);
    if (this.#puts === seen) this.#mayHaveRetries = any;
    await Promise.all(claimed.map((one) => this.#retry(one)));
    return claimed.length > 0;
  }

  #onPut(): void {
    this.#puts++;
    this.#mayHaveRetries = true;
  }

  async #retry(claimed: ClaimedRetry): Promise<void> {
    const { routes, attempts, consumer, instruments, isStopping } = this.#init;
    const { envelope, key } = claimed;
    const route = routes.get(envelope.type);
    instruments.redelivered.add(1, { type: envelope.type });
    if (route === undefined) {
      return this.#retryFailed(claimed, messagingErrors.UNKNOWN_EVENT({ service: consumer, type: envelope.type }));
    }
    // It was claimed as often as it may be and never came back: it took the process with it.
    if (claimed.attempts > RETRY_DELAYS_MS.length) {
      return this.#retryFailed(
        claimed,
        messagingErrors.ATTEMPTS_LOST({ type: envelope.type, attempts: claimed.attempts }),
      );
    }
    const attempt = TRIES_IN_PLACE + claimed.attempts;
    const outcome = await attempts.run({ route, envelope, attempt, key, mayBeBehind: false });
    using ctx = this.#init.context();
    if (outcome.is === 'handled') return this.#init.retries.finish(ctx, claimed);
    if (isStopping()) return this.#init.retries.giveBack(ctx, claimed);
    if (outcome.is === 'failed') await this.#retryFailed(claimed, outcome.error);
  }

  async #retryFailed(claimed: ClaimedRetry, error: SoukError): Promise<void> {
    const { retries, runtime, consumer } = this.#init;
    using ctx = this.#init.context();
    const failure = failureOf(error, runtime);
    const verdict = afterDelayedFailure(error, claimed.attempts, runtime.random);
    if (verdict.is !== 'dead') return retries.postpone(ctx, claimed, verdict.afterMs, failure);
    const failures = [...claimed.failures, failure];
    const at = new Date(runtime.clock.now());
    await retries.finish(ctx, claimed, (tx) => bury(tx, consumer, claimed.envelope, failures, at));
    this.#tellDead(claimed.envelope, error);
  }

  #observeDelay({ type, time }: Envelope): void {
    const delayMs = this.#init.runtime.clock.now() - Date.parse(time);
    // Clocks of two machines differ a little.
    this.#init.instruments.relaySeconds.observe(Math.max(0, delayMs) / 1000, { type });
  }
}

/** Under which an event waits. One that has no order waits for itself only. */
const keyOf = ({ ordered }: Route, { source, key, id }: Envelope): string =>
  ordered ? `${source}#${key}` : `${source}!${id}`;
