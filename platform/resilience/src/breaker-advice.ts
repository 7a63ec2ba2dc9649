import type { BreakerSharingSettings } from './advice-options.ts';

/*
 * What instances say of their breakers, and what follows from it. Counters are never added up over instances: one with a broken
 * network would poison all, and a new one would dilute them.
 *
 * A1 Of each instance only the newest word on a key counts, whatever order, delay or repetition it came in.
 * A2 A word expires `ttlMs` after it was first heard, by the hearer's monotonic clock; hearing it again adds nothing.
 * A3 Advice needs max(2, ceil(quorum * live)) instances that report OPEN with a sample of at least half of `minCalls`.
 * A4 Open instances short of the quorum are suspects and are not followed.
 * A5 What is held is bounded; what no longer counts makes room first.
 */

export const REPORTED_STATES = [
  ...(['CLOSED', 'OPEN', 'HALF_OPEN', 'FORCED_OPEN', 'FORCED_CLOSED', 'DISABLED', 'METRICS_ONLY'] as const),
] as const;

/** What one instance says of one of its breakers. */
export interface BreakerReport {
  readonly key: string;
  /** Names one run of one process. A process that starts anew has a new one. */
  readonly instance: string;
  readonly state: (typeof REPORTED_STATES)[number];
  readonly generation: number;
  /** Outcomes that the failure rate stands on. While open: those that it opened on. */
  readonly sample: number;
  /** From 0 to 1. Left out while unknown. */
  readonly failureRate?: number | undefined;
  /** Grows with every report of an instance. */
  readonly seq: number;
  /** For how many milliseconds the state had lasted when this was said. */
  readonly sinceMs: number;
}

/** The newer of two reports of one instance on one key. Commutative, associative and idempotent. */
export const newerReport = (one: BreakerReport, other: BreakerReport): BreakerReport =>
  other.seq > one.seq ? other : one;

/** What the instances together say of a key. */
export interface Verdict {
  /** Instances that were heard of lately, this one among them. */
  readonly live: number;
  /** How many open instances it takes. */
  readonly quorum: number;
  /** How many count as open. */
  readonly open: number;
  readonly isOpen: boolean;
  /** When the verdict lapses if nobody says anything more, in monotonic milliseconds. 0 while not open. */
  readonly untilMs: number;
  /** Open against the majority: their own network may be at fault. */
  readonly suspects: readonly string[];
}

export interface BreakerAdvice {
  /** `full`: there is no room for more. */
  accept(report: BreakerReport, nowMs: number): 'accepted' | 'stale' | 'full';
  /** Pure. @param minCalls Of the local breaker. */
  verdict(key: string, minCalls: number, nowMs: number): Verdict;
  /** Pure. What counts of a key, by instance. */
  reports(key: string, nowMs: number): readonly BreakerReport[];
  /** Every key that something counts of. */
  keys(nowMs: number): readonly string[];
  readonly size: number;
}

/** Numbers of expired reports are remembered for so many lifetimes: a word that was long on its way is not news. */
const REMEMBER_LIFETIMES = 10;

export function createBreakerAdvice(settings: BreakerSharingSettings): BreakerAdvice {
  return new Board(settings);
}

interface Held {
  report: BreakerReport;
  heardMs: number;
}

class Board implements BreakerAdvice {
  readonly #settings: BreakerSharingSettings;
  readonly #byKey = new Map<string, Map<string, Held>>();
  #size = 0;
  /** Time as far as it has come: a clock that goes back does not make old words count again. */
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(settings: BreakerSharingSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#size;
  }

  accept(report: BreakerReport, nowMs: number): 'accepted' | 'stale' | 'full' {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const held = this.#byKey.get(report.key)?.get(report.instance);
    if (held !== undefined) {
      if (newerReport(held.report, report) === held.report) return 'stale';
      held.report = report;
      held.heardMs = this.#nowMs;
      return 'accepted';
    }
    const { maxReports, ttlMs } = this.#settings;
    if (this.#size >= maxReports) this.#forget(ttlMs);
    if (this.#size >= maxReports) return 'full';
    const ofKey = this.#byKey.get(report.key) ?? new Map<string, Held>();
    this.#byKey.set(report.key, ofKey.set(report.instance, { report, heardMs: this.#nowMs }));
    this.#size++;
    // As often as there are new names, so that their number cannot grow unseen.
    if (this.#size % 64 === 0) this.#forget(ttlMs * REMEMBER_LIFETIMES);
    return 'accepted';
  }

  verdict(key: string, minCalls: number, nowMs: number): Verdict {
    const { ttlMs, quorum: share } = this.#settings;
    const now = Math.max(this.#nowMs, nowMs);
    const suspects: string[] = [];
    const opened: number[] = [];
    let live = 0;
    for (const { report, heardMs } of this.#byKey.get(key)?.values() ?? []) {
      if (now - heardMs >= ttlMs) continue;
      live++;
      if (report.state !== 'OPEN') continue;
      suspects.push(report.instance);
      if (report.sample >= minCalls / 2) opened.push(heardMs);
    }
    const quorum = Math.max(2, Math.ceil(share * live));
    const isOpen = opened.length >= quorum;
    if (!isOpen) {
      const isAlone = live < 2;
      return { live, quorum, open: opened.length, isOpen, untilMs: 0, suspects: isAlone ? [] : suspects.sort() };
    }
    opened.sort((a, b) => b - a);
    return { live, quorum, open: opened.length, isOpen, untilMs: (opened[quorum - 1] ?? now) + ttlMs, suspects: [] };
  }

  reports(key: string, nowMs: number): readonly BreakerReport[] {
    const now = Math.max(this.#nowMs, nowMs);
    const reports: BreakerReport[] = [];
    for (const { report, heardMs } of this.#byKey.get(key)?.values() ?? [])
      if (now - heardMs < this.#settings.ttlMs) reports.push(report);
    return reports.sort((a, b) => (a.instance < b.instance ? -1 : 1));
  }

  keys(nowMs: number): readonly string[] {
    return [...this.#byKey.keys()].filter((key) => this.reports(key, nowMs).length > 0).sort();
  }

  #forget(afterMs: number): void {
    for (const [key, ofKey] of this.#byKey) {
      for (const [instance, { heardMs }] of ofKey) {
        if (this.#nowMs - heardMs < afterMs) continue;
        ofKey.delete(instance);
        this.#size--;
      }
      if (ofKey.size === 0) this.#byKey.delete(key);
    }
  }
}
