import { fromUnknown, kernelErrors, type Runtime } from '@souk/kernel';
import { createTimerWheel, type TimerWheel, type WheelEntry } from '@souk/resilience';

export type { WheelEntry };

/** The deadlines of calls in flight. One timer serves them all: hardly one of them is ever reached. */
export interface Deadlines {
  /**
   * Waits for work, but no longer than until its time is over or its caller gives up. What the work does after that is ignored; its
   * context tells it to stop.
   * @param timeoutMs Milliseconds; `Infinity`: no limit. It may take up to 20 ms more, never less.
   * @param nowMs Monotonic milliseconds, for who has just read them.
   * @throws SOUK_DEADLINE_EXCEEDED, SOUK_CANCELED
   */
  within<T>(timeoutMs: number, signal: AbortSignal | undefined, work: Promise<T>, nowMs?: number): Promise<T>;
  /** Has `entry.onDue` called when its time is over: for who keeps a call in an object of its own. */
  add(entry: WheelEntry, timeoutMs: number): void;
  remove(entry: WheelEntry): void;
}

export function createDeadlines(runtime: Pick<Runtime, 'clock' | 'timers'>): Deadlines {
  const { clock } = runtime;
  const wheel = createTimerWheel(runtime);
  return {
    within: (timeoutMs, signal, work, nowMs = clock.monotonicMs()) =>
      new Promise((resolve, reject) => new Wait(wheel, signal, resolve, reject).start(timeoutMs, work, nowMs)),
    add: (entry, timeoutMs) => {
      const nowMs = clock.monotonicMs();
      if (timeoutMs !== Number.POSITIVE_INFINITY) wheel.add(entry, nowMs + timeoutMs, nowMs);
    },
    remove: (entry) => wheel.remove(entry),
  };
}

/** One who waits for work. */
class Wait<T> implements WheelEntry {
  wheelDueTick = -1;
  wheelNext: WheelEntry | undefined = undefined;
  wheelPrevious: WheelEntry | undefined = undefined;
  readonly #wheel: TimerWheel;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #onAbort: (() => void) | undefined = undefined;

  constructor(
    wheel: TimerWheel,
    signal: AbortSignal | undefined,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#wheel = wheel;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(timeoutMs: number, work: Promise<T>, nowMs: number): void {
    const signal = this.#signal;
    work.then(
      (value) => {
        this.#leave();
        this.#resolve(value);
      },
      (error) => {
        this.#leave();
        this.#reject(error);
      },
    );
    if (signal?.aborted) {
      this.#reject(whyCanceled(signal.reason));
      return;
    }
    if (signal !== undefined) {
      this.#onAbort = () => {
        this.#leave();
        this.#reject(whyCanceled(signal.reason));
      };
      signal.addEventListener('abort', this.#onAbort);
    }
    if (timeoutMs !== Number.POSITIVE_INFINITY) this.#wheel.add(this, nowMs + timeoutMs, nowMs);
  }

  onDue(): void {
    this.#leave();
    this.#reject(kernelErrors.DEADLINE_EXCEEDED());
  }

  #leave(): void {
    this.#wheel.remove(this);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

/** Why a signal ended a call, as one of our errors. */
export const whyCanceled = (reason: unknown) => {
  const error = fromUnknown(reason);
  return error.reason === 'SOUK_INTERNAL' ? kernelErrors.CANCELED({}, { cause: reason }) : error;
};
