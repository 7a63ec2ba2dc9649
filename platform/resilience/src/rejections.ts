import type { SoukError } from '@souk/kernel';
import type { RefusedBy } from './attempt.ts';
import type { Breaker } from './breaker-types.ts';
import { resilienceErrors } from './errors.ts';

/** How long one error serves all who are refused. To make one, with its stack, costs more than to refuse. */
const REUSE_MS = 50;
/** How long to stay away where nothing better is known. */
const AFTER_MS = 100;
/** How long to stay away at most while probes find out whether all is well: they seldom take as long as they may. */
const PROBING_MS = 1000;
/** The same while an operator holds it open, who may let go before the time that was said. */
const HELD_MS = 10_000;

/** Makes the errors of calls that were refused. Those of the same reason within 50 ms are one object: nobody may change it. */
export class Rejections {
  readonly #policy: string;
  readonly #breaker: Breaker | undefined;
  #made: Map<string, { readonly error: SoukError; readonly atMs: number }> | undefined;

  constructor(policy: string, breaker: Breaker | undefined) {
    this.#policy = policy;
    this.#breaker = breaker;
  }

  error(by: RefusedBy, why: string, nowMs: number): SoukError {
    const known = this.#made?.get(why);
    if (known !== undefined && nowMs >= known.atMs && nowMs - known.atMs < REUSE_MS) return known.error;
    const error = this.#make(by, why, nowMs);
    this.#made ??= new Map();
    this.#made.set(why, { error, atMs: nowMs });
    return error;
  }

  #make(by: RefusedBy, why: string, nowMs: number): SoukError {
    const policy = this.#policy;
    if (by === 'throttled') return resilienceErrors.THROTTLED({ policy }, { afterMs: AFTER_MS });
    if (by === 'rate_limited') return resilienceErrors.RATE_LIMITED({ policy }, { afterMs: AFTER_MS });
    if (by === 'shed') return resilienceErrors.SHED({ policy, why }, { afterMs: AFTER_MS });
    if (by === 'bulkhead') return resilienceErrors.BULKHEAD_FULL({ policy, why }, { afterMs: AFTER_MS });
    const view = this.#breaker?.peek(nowMs);
    const state = (view?.state ?? 'OPEN').toLowerCase().replaceAll('_', ' ');
    const waitMs = this.#breaker?.retryAfterMs(nowMs) ?? AFTER_MS;
    const mostMs = view?.state === 'HALF_OPEN' ? PROBING_MS : view?.state === 'FORCED_OPEN' ? HELD_MS : waitMs;
    const afterMs = Math.min(waitMs, mostMs);
    return resilienceErrors.BREAKER_OPEN({ policy, state }, { afterMs, cause: view?.lastCause });
  }
}
