import type { Random } from '@souk/kernel';
import { type AdaptiveLimit, createAdaptiveLimit } from './adaptive-limit.ts';
import { createGate, type Gate } from './gate.ts';
import { type GateSettings, resolveGate } from './gate-options.ts';
import type { Outcome } from './outcome.ts';
import { CRITICALITIES } from './priority.ts';
import type { ShedSettings } from './shed-options.ts';

/*
 * What a server does when more comes than it can do: a limit that is found out, a short queue in order of importance, and ahead of both a
 * share of the least important calls that is refused at once.
 *
 * S1 The share comes from below: no class loses a call while one that is less important is served in part, but for the class at the border.
 * S2 `critical_plus` is never refused ahead of the queue.
 * S3 Within a class the same users are refused as long as the share does not change: a user's page fails or works as a whole.
 * S4 The share goes half of the way to what is too much each second, and at once to what the process says of itself. What is let in grows
 *    by at most a fifth a second, so that calm is tried before it is believed, and doubles while no more than half of the slots are used.
 * S5 Time that goes back is no time: the next second is measured from there.
 */

export interface ShedView {
  readonly limit: number;
  readonly latencyMs: number | undefined;
  readonly baselineMs: number | undefined;
  /** The share of all calls that is refused ahead of the queue, 0 to 1. */
  readonly share: number;
  /** Calls refused ahead of the queue, by class, the most important first. */
  readonly shed: readonly number[];
}

export interface Shedder {
  /** Where those wait that were admitted. */
  readonly gate: Gate;
  /** Undefined: it may go to the gate; whoever does calls `done`. Otherwise why it is refused. @param userHash Any whole number. */
  admit(rank: number, userHash: number | undefined, nowMs: number): string | undefined;
  /** The gate refused it. */
  refusedByGate(nowMs: number): void;
  /** @param latencyMs Since it got its slot. */
  done(outcome: Outcome, latencyMs: number, nowMs: number): void;
  /** How far the process is beyond what it can bear, 0 to 1; see `createLoadSignal`. */
  setOverload(overload: number): void;
  configure(settings: ShedSettings, nowMs: number): void;
  view(): ShedView;
}

const SECOND_MS = 1000;
/** How much more is let in from one second to the next: with slots in use, and with half of them idle. */
const GROWTH = 1.2;
const IDLE_GROWTH = 2;
/** Somebody has to find out that it is over. */
const LARGEST_SHARE = 0.9;

/** @param settings By `resolveShed`. */
export const createShedder = (settings: ShedSettings, deps: { readonly random: Random }): Shedder =>
  new LoadShedder(settings, deps.random);

class LoadShedder implements Shedder {
  readonly gate: Gate;
  #settings: ShedSettings;
  readonly #random: Random;
  readonly #limit: AdaptiveLimit;
  readonly #seen = new Uint32Array(CRITICALITIES.length);
  readonly #shed = new Float64Array(CRITICALITIES.length);
  /** By class: the share that is refused. */
  readonly #shares = new Float64Array(CRITICALITIES.length);
  /** In this second: refused ahead of the queue, and by it. */
  #shedNow = 0;
  #refused = 0;
  /** Most slots in use. */
  #peak = 0;
  #share = 0;
  #overload = 0;
  #second = Number.NEGATIVE_INFINITY;

  constructor(settings: ShedSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#limit = createAdaptiveLimit(settings.limit);
    this.gate = createGate(this.#gateSettings());
  }

  admit(rank: number, userHash: number | undefined, nowMs: number): string | undefined {
    this.#recalibrate(nowMs);
    this.#seen[rank] = (this.#seen[rank] as number) + 1;
    const share = this.#shares[rank] as number;
    if (share === 0 || (userHash === undefined ? this.#random.next() : spread(userHash)) >= share) {
      const inFlight = this.gate.active + 1;
      if (inFlight > this.#peak) this.#peak = inFlight;
      this.#limit.onStart(inFlight, nowMs);
      return undefined;
    }
    this.#shed[rank] = (this.#shed[rank] as number) + 1;
    this.#shedNow++;
    return 'calls of this importance are refused now';
  }

  refusedByGate(): void {
    this.#refused++;
  }

  done(outcome: Outcome, latencyMs: number, nowMs: number): void {
    if (this.#limit.onEnd(outcome, latencyMs, this.gate.active, nowMs))
      this.gate.configure(this.#gateSettings(), nowMs);
  }

  setOverload(overload: number): void {
    this.#overload = overload;
  }

  configure(settings: ShedSettings, nowMs: number): void {
    this.#settings = settings;
    this.#limit.configure(settings.limit, nowMs);
    this.gate.configure(this.#gateSettings(), nowMs);
  }

  view(): ShedView {
    return { ...this.#limit.view(), share: this.#share, shed: [...this.#shed] };
  }

  #gateSettings(): GateSettings {
    const { limit } = this.#limit;
    const { queueFactor, queueTimeoutMs, overloadAfterMs, overloadWaitMs } = this.#settings;
    const queueLimit = Math.ceil(limit * queueFactor);
    return resolveGate({
      ...{ limit, queueLimit, queueTimeoutMs, overloadAfterMs, overloadWaitMs },
      order: 'adaptive',
    });
  }

  /** Once a second: the share to refuse, and which classes it takes. */
  #recalibrate(nowMs: number): void {
    const second = Math.floor(nowMs / SECOND_MS);
    if (second === this.#second) return;
    const seconds = Math.max(0, Math.min(10, second - this.#second));
    this.#second = second;
    let total = 0;
    for (const count of this.#seen) total += count;
    // What the queue refused came on top of the share, was refused late, and was not the least important: the next second begins with it.
    // Half of the way, for some of it waited and was refused for the second before.
    const tooMany =
      this.#refused === 0 || total === 0 ? 0 : (this.#share + (this.#shedNow + this.#refused) / total) / 2;
    const wanted = Math.min(LARGEST_SHARE, Math.max(this.#overload, tooMany));
    const growth = this.#peak <= this.gate.limit / 2 ? IDLE_GROWTH : GROWTH;
    this.#share = Math.max(wanted, 1 - (1 - this.#share) * growth ** seconds, 0);
    if (this.#share < 0.01) this.#share = 0;
    this.#spread(this.#share, total);
    this.#seen.fill(0);
    this.#shedNow = 0;
    this.#refused = 0;
    this.#peak = this.gate.active;
  }

  #spread(share: number, total: number): void {
    let left = share * total;
    for (let rank = CRITICALITIES.length - 1; rank > 0; rank--) {
      const seen = this.#seen[rank] as number;
      // A class that was not seen counts as shed in full while the border lies above it.
      this.#shares[rank] = left <= 0 ? 0 : seen === 0 ? 1 : Math.min(1, left / seen);
      left -= seen;
    }
    if (share === 0) this.#shares.fill(0);
  }
}

/** From 0 to 1, and neighbours far apart: multiplication by the golden ratio, Knuth, The Art of Computer Programming 3, 6.4. */
const spread = (hash: number): number => (Math.imul(hash | 0, 0x9e3779b1) >>> 0) / 2 ** 32;
