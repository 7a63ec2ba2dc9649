import type { Code } from './code.ts';

/** Whether repeating the same call can help. */
export type Retry =
  /** Wrong input or a broken rule: the same call fails again. */
  | { readonly kind: 'never' }
  /** Shed, throttled or not ready: nothing happened. `afterMs` is the wait the server asked for. */
  | { readonly kind: 'later'; readonly afterMs?: number }
  /** It may have happened. Repeat only what is idempotent or carries an idempotency key. */
  | { readonly kind: 'unknownOutcome' };

/** One value that broke a rule of the contract. */
export interface Violation {
  /** JSON pointer (RFC 6901) into the request, for example `/items/0/quantity`. */
  readonly pointer: string;
  /** What was wanted, in words. Never repeats a value that may be personal or secret. */
  readonly detail: string;
}

export interface SoukErrorInit<TRetry extends Retry = Retry> {
  readonly code: Code;
  /** Stable, searchable key, prefixed by its catalogue: `ORDERS_NOT_FOUND`. */
  readonly reason: string;
  readonly message: string;
  readonly retry: TRetry;
  /** REST status that says more than the code's own, for example 422 for a reused idempotency key. */
  readonly httpStatus?: number | undefined;
  readonly violations?: readonly Violation[] | undefined;
  /** Facts a client may act on. Sent to clients. */
  readonly details?: Readonly<Record<string, string>> | undefined;
  /** Kept for the log; never leaves the process. */
  readonly cause?: unknown;
}

/** Survives a second copy of the package and another realm, unlike `instanceof`. */
const BRAND = Symbol.for('souk.error');

/** The only error class of the platform and its services. Make one through a catalogue: {@link defineErrors}. */
export class SoukError<TRetry extends Retry = Retry> extends Error {
  readonly [BRAND] = true;
  override readonly name = 'SoukError';
  readonly code: Code;
  readonly reason: string;
  readonly retry: TRetry;
  readonly httpStatus: number | undefined;
  readonly violations: readonly Violation[];
  readonly details: Readonly<Record<string, string>>;

  constructor(init: SoukErrorInit<TRetry>) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = init.code;
    this.reason = init.reason;
    this.retry = init.retry;
    this.httpStatus = init.httpStatus;
    this.violations = init.violations ?? [];
    this.details = init.details ?? {};
  }
}

/** An error that the same call may overcome. */
export type RetryableError = SoukError<Exclude<Retry, { kind: 'never' }>>;

export const isSoukError = (error: unknown): error is SoukError =>
  typeof error === 'object' && error !== null && BRAND in error;

export const isRetryable = (error: unknown): error is RetryableError =>
  isSoukError(error) && error.retry.kind !== 'never';

/** True when the error came out of the catalogue entry `reason`, wherever it was thrown. */
export const hasReason = (error: unknown, reason: string): boolean => isSoukError(error) && error.reason === reason;
