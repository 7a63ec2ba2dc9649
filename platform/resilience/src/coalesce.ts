import { atLeast, wholeAtLeast } from './check-option.ts';

export interface CoalesceOptions {
  /** Milliseconds that an answer is kept. 0: only those who ask at the same time share it. @default 0 */
  readonly ttlMs?: number;
  /** Milliseconds after that in which the old answer is still given while one call fetches a new one. @default 0 */
  readonly staleMs?: number;
  /** The share of `ttlMs` by which lives differ, so that not all answers die at the same time. @default 0.1 */
  readonly jitter?: number;
  /** Most keys that are kept; the one unused for longest goes first. @default 1000 */
  readonly maxKeys?: number;
}

export interface CoalesceSettings {
  readonly ttlMs: number;
  readonly staleMs: number;
  readonly jitter: number;
  readonly maxKeys: number;
}

/** @throws RESILIENCE_BAD_OPTION */
export function resolveCoalesce(options: CoalesceOptions): CoalesceSettings {
  return Object.freeze({
    ttlMs: atLeast('coalesce.ttlMs', options.ttlMs ?? 0, 0),
    staleMs: atLeast('coalesce.staleMs', options.staleMs ?? 0, 0),
    jitter: atLeast('coalesce.jitter', options.jitter ?? 0.1, 0),
    maxKeys: wholeAtLeast('coalesce.maxKeys', options.maxKeys ?? 1000, 1),
  });
}

/*
 * K1 For one key at most one call runs.
 * K2 A failure is given to those who wait for it, and kept for nobody else.
 * K3 Who leaves takes nobody along: the call ends early only when nobody waits for it any more.
 */

interface Kept {
  readonly value: unknown;
  readonly freshUntilMs: number;
  readonly staleUntilMs: number;
}

interface Flight {
  readonly promise: Promise<unknown>;
  readonly controller: AbortController;
  waiting: number;
}

/** Starts the call of a key. The signal aborts when nobody waits for it any more. */
export type Fetch<T> = (signal: AbortSignal) => Promise<T>;

export class Coalescer {
  #settings: CoalesceSettings;
  readonly #clock: { monotonicMs(): number };
  readonly #random: { next(): number };
  readonly #kept = new Map<string, Kept>();
  readonly #flights = new Map<string, Flight>();

  constructor(
    settings: CoalesceSettings,
    deps: { readonly clock: { monotonicMs(): number }; readonly random: { next(): number } },
  ) {
    this.#settings = settings;
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  configure(settings: CoalesceSettings): void {
    this.#settings = settings;
    this.#evict();
  }

  /**
   * The answer of a key: one that is kept, that of a call on its way, or that of a new call.
   * @param onShared Called when no call was made for this one.
   * @throws what the call threw; the signal's reason when that aborts first
   */
  async run<T>(key: string, fetch: Fetch<T>, signal: AbortSignal | undefined, onShared: () => void): Promise<T> {
    signal?.throwIfAborted();
    const nowMs = this.#clock.monotonicMs();
    const kept = this.#kept.get(key);
    if (kept !== undefined && nowMs < kept.staleUntilMs) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      onShared();
      // Nobody waits for the new answer; when it fails, the old one goes on until its end.
      if (nowMs >= kept.freshUntilMs && !this.#flights.has(key)) this.#start(key, fetch).promise.catch(() => {});
      return kept.value as T;
    }
    const known = this.#flights.get(key);
    if (known !== undefined) onShared();
    return this.#wait(key, known ?? this.#start(key, fetch), signal) as Promise<T>;
  }

  #start(key: string, fetch: Fetch<unknown>): Flight {
    const controller = new AbortController();
    const promise = fetch(controller.signal).then(
      (value) => {
        this.#land(key, flight);
        this.#keep(key, value);
        return value;
      },
      (error) => {
        this.#land(key, flight);
        throw error;
      },
    );
    const flight: Flight = { promise, controller, waiting: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  #land(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  #wait(key: string, flight: Flight, signal: AbortSignal | undefined): Promise<unknown> {
    flight.waiting++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        leave();
        reject(signal?.reason);
        if (flight.waiting > 0) return;
        // Whoever asks next must not be given what was called off.
        this.#land(key, flight);
        flight.controller.abort(signal?.reason);
      };
      const leave = (): void => {
        flight.waiting--;
        signal?.removeEventListener('abort', onAbort);
      };
      signal?.addEventListener('abort', onAbort);
      let isGone = false;
      const done = (settle: (given: never) => void) => (given: unknown) => {
        if (isGone || signal?.aborted) return;
        isGone = true;
        leave();
        settle(given as never);
      };
      flight.promise.then(done(resolve as never), done(reject as never));
    });
  }

  #keep(key: string, value: unknown): void {
    const { ttlMs, staleMs, jitter } = this.#settings;
    if (ttlMs + staleMs <= 0) return;
    const nowMs = this.#clock.monotonicMs();
    const freshUntilMs = nowMs + ttlMs * (1 - jitter * this.#random.next());
    this.#kept.delete(key);
    this.#kept.set(key, { value, freshUntilMs, staleUntilMs: freshUntilMs + staleMs });
    this.#evict();
  }

  #evict(): void {
    for (const key of this.#kept.keys()) {
      if (this.#kept.size <= this.#settings.maxKeys) return;
      this.#kept.delete(key);
    }
  }
}
