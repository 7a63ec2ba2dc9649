import type { BreakerSettings } from './breaker-options.ts';
import type { BreakerPermit } from './breaker-types.ts';

/** A permit that the round may take back. */
export interface ProbePermit extends BreakerPermit {
  expired: boolean;
}

/** The probes of one time half open, and their verdict as soon as nothing can change it any more. */
export class ProbeRound {
  readonly #settings: BreakerSettings;
  readonly #untilMs: number;
  #available: number;
  #running: ProbePermit[] = [];
  #judged = 0;
  #failures = 0;
  #slow = 0;

  constructor(settings: BreakerSettings, nowMs: number) {
    this.#settings = settings;
    this.#available = settings.halfOpenPermits;
    this.#untilMs = nowMs + settings.halfOpenMaxWaitMs;
  }

  take(): boolean {
    if (this.#available === 0) return false;
    this.#available--;
    return true;
  }

  add(permit: ProbePermit): void {
    this.#running.push(permit);
  }

  /** A permit that ended without a verdict lets another call probe. */
  giveBack(permit: BreakerPermit): void {
    this.#leave(permit);
    this.#available++;
  }

  judge(permit: BreakerPermit, failed: boolean, slow: boolean): 'open' | 'closed' | undefined {
    this.#leave(permit);
    return this.#count(failed, slow);
  }

  /** Judges probes that take too long: they have failed, and what they bring later counts no more. */
  expire(nowMs: number): 'open' | 'closed' | undefined {
    for (let n = this.#running.length - 1; n >= 0; n--) {
      const permit = this.#running[n] as ProbePermit;
      if (nowMs - permit.startedMs < this.#settings.probeTimeoutMs) continue;
      permit.released = true;
      permit.expired = true;
      this.#leave(permit);
      const verdict = this.#count(true, true);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#untilMs;
  }

  /** Whether there were probes and all of them went well: fewer calls came than were to be let through, and that is no fault of the target. */
  get wentWell(): boolean {
    return this.#judged > 0 && this.#failures === 0 && this.#slow === 0 && this.#running.length === 0;
  }

  /** Milliseconds until a probe may be let through at the latest. */
  waitMs(nowMs: number): number {
    return this.#available > 0 ? 0 : Math.max(0, this.#untilMs - nowMs);
  }

  #count(failed: boolean, slow: boolean): 'open' | 'closed' | undefined {
    const { halfOpenPermits, failureRate, slowRate } = this.#settings;
    this.#judged++;
    if (failed) this.#failures++;
    if (slow) this.#slow++;
    const reaches = (count: number, rate: number) => count > 0 && count / halfOpenPermits >= rate;
    if (reaches(this.#failures, failureRate) || reaches(this.#slow, slowRate)) return 'open';
    const open = halfOpenPermits - this.#judged;
    const could = reaches(this.#failures + open, failureRate) || reaches(this.#slow + open, slowRate);
    return could ? undefined : 'closed';
  }

  #leave(permit: BreakerPermit): void {
    this.#running = this.#running.filter((one) => one !== permit);
  }
}
