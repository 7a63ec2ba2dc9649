import type { Outcome } from '../src/index.ts';

interface Sample {
  readonly atMs: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

export interface ReferenceOptions {
  readonly windowMs: number;
  readonly bucketMs: number;
  readonly minCalls: number;
  readonly failureRate: number;
  readonly slowMs: number;
  readonly slowRate: number;
  readonly consecutive: number;
  readonly openMs: number;
  readonly openFactor: number;
  readonly openMaxMs: number;
  readonly permits: number;
  readonly probeTimeoutMs: number;
  readonly roundMs: number;
}

export interface ReferencePermit {
  readonly id: number;
  readonly era: number;
  readonly probe: boolean;
  readonly startedMs: number;
  over: boolean;
}

interface Hold {
  readonly owner: string;
  readonly wants: 'FORCED_OPEN' | 'FORCED_CLOSED';
  readonly untilMs: number;
}

/** The same automaton, as slow and plain as can be: all samples in a list, counted each time. */
export class ReferenceBreaker {
  state: 'CLOSED' | 'OPEN' | 'HALF_OPEN' = 'CLOSED';
  era = 0;
  #samples: Sample[] = [];
  #row = 0;
  #openUntil = 0;
  #attempt = 0;
  #since = 0;
  #roundUntil = 0;
  #free = 0;
  #probes: ReferencePermit[] = [];
  #verdicts: Sample[] = [];
  #ids = 0;
  #holds: Hold[] = [];
  #forced: Hold['wants'] | undefined;
  readonly #options: ReferenceOptions;

  constructor(options: ReferenceOptions) {
    this.#options = options;
  }

  /** What the next call finds. */
  shown(nowMs: number): string {
    const wanted = this.#wanted(nowMs);
    if (wanted !== undefined || this.#forced === undefined) return wanted ?? this.state;
    return this.#forced === 'FORCED_OPEN' ? 'OPEN' : 'CLOSED';
  }

  hold(hold: Hold, nowMs: number): void {
    this.#holds = [...this.#holds.filter((one) => one.owner !== hold.owner || one.wants !== hold.wants), hold];
    this.#refresh(nowMs);
  }

  release(owner: string, nowMs: number): void {
    this.#holds = this.#holds.filter((one) => one.owner !== owner);
    this.#refresh(nowMs);
  }

  reset(nowMs: number): void {
    this.#holds = [];
    this.#forced = undefined;
    this.#attempt = 0;
    this.#to('CLOSED', nowMs);
  }

  #wanted(nowMs: number): Hold['wants'] | undefined {
    const wants = this.#holds.filter((one) => nowMs < one.untilMs).map((one) => one.wants);
    return wants.find((one) => one === 'FORCED_OPEN') ?? wants[0];
  }

  #refresh(nowMs: number): void {
    const before = this.#forced;
    this.#forced = this.#wanted(nowMs);
    if (this.#forced === before) return;
    if (this.#forced === undefined && before === 'FORCED_OPEN' && this.state !== 'OPEN') this.#openUntil = nowMs;
    if (this.#forced !== undefined) this.#to(this.state, nowMs);
    else this.#to(before === 'FORCED_OPEN' ? 'OPEN' : 'CLOSED', nowMs);
  }

  acquire(nowMs: number): ReferencePermit | undefined {
    const o = this.#options;
    this.#refresh(nowMs);
    if (this.#forced === 'FORCED_OPEN') return undefined;
    if (this.#forced === 'FORCED_CLOSED')
      return { id: this.#ids++, era: this.era, probe: false, startedMs: nowMs, over: false };
    if (this.state === 'OPEN' && nowMs >= this.#openUntil) {
      this.#to('HALF_OPEN', nowMs);
      this.#free = o.permits;
      this.#roundUntil = nowMs + o.roundMs;
    }
    if (this.state === 'HALF_OPEN') {
      this.#expire(nowMs);
      if (this.state === 'HALF_OPEN' && nowMs >= this.#roundUntil) {
        const ended = this.#verdicts;
        const isWell = ended.length > 0 && this.#probes.length === 0 && ended.every((one) => !one.failed && !one.slow);
        if (isWell) this.#to('CLOSED', nowMs);
        else this.#open(nowMs);
      }
    }
    if (this.state === 'OPEN' || (this.state === 'HALF_OPEN' && this.#free === 0)) return undefined;
    const probe = this.state === 'HALF_OPEN';
    const permit = { id: this.#ids++, era: this.era, probe, startedMs: nowMs, over: false };
    if (probe) {
      this.#free--;
      this.#probes.push(permit);
    }
    return permit;
  }

  settle(permit: ReferencePermit, outcome: Outcome, nowMs: number): void {
    if (permit.over) return;
    permit.over = true;
    if (permit.era !== this.era) return;
    const o = this.#options;
    const counts = outcome === 'success' || outcome === 'failure';
    const sample = { atMs: nowMs, failed: outcome === 'failure', slow: nowMs - permit.startedMs >= o.slowMs };
    if (permit.probe) {
      this.#expire(nowMs);
      if (!this.#probes.includes(permit)) return;
      if (counts) this.#verdict(permit, sample, nowMs);
      else {
        this.#probes = this.#probes.filter((one) => one !== permit);
        this.#free++;
      }
      return;
    }
    if (!counts) return;
    this.#samples.push(sample);
    this.#row = sample.failed ? this.#row + 1 : 0;
    const bucket = Math.floor(nowMs / o.bucketMs);
    const inWindow = this.#samples.filter(
      ({ atMs }) => bucket - Math.floor(atMs / o.bucketMs) < o.windowMs / o.bucketMs,
    );
    const failed = inWindow.filter((one) => one.failed).length;
    const slow = inWindow.filter((one) => one.slow).length;
    const enough = inWindow.length >= o.minCalls;
    const isBad = (count: number, rate: number) => count > 0 && count / inWindow.length >= rate;
    const isBadNow =
      this.#row >= o.consecutive || (enough && (isBad(failed, o.failureRate) || isBad(slow, o.slowRate)));
    if (!isBadNow) return;
    if (this.#forced === undefined) {
      if (nowMs - this.#since >= o.windowMs) this.#attempt = 0;
      this.#open(nowMs);
      return;
    }
    this.#samples = [];
    this.#row = 0;
  }

  #expire(nowMs: number): void {
    for (const probe of this.#probes.filter((one) => nowMs - one.startedMs >= this.#options.probeTimeoutMs)) {
      if (this.state !== 'HALF_OPEN') break;
      probe.over = true;
      this.#verdict(probe, { atMs: nowMs, failed: true, slow: true }, nowMs);
    }
  }

  #verdict(permit: ReferencePermit, sample: Sample, nowMs: number): void {
    const o = this.#options;
    this.#probes = this.#probes.filter((one) => one !== permit);
    this.#verdicts.push(sample);
    const failed = this.#verdicts.filter((one) => one.failed).length;
    const slow = this.#verdicts.filter((one) => one.slow).length;
    const left = o.permits - this.#verdicts.length;
    const bad = (count: number, rate: number) => count > 0 && count / o.permits >= rate;
    if (bad(failed, o.failureRate) || bad(slow, o.slowRate)) this.#open(nowMs);
    else if (!bad(failed + left, o.failureRate) && !bad(slow + left, o.slowRate)) this.#to('CLOSED', nowMs);
  }

  #open(nowMs: number): void {
    const o = this.#options;
    this.#openUntil = nowMs + Math.min(o.openMaxMs, o.openMs * o.openFactor ** this.#attempt);
    this.#attempt++;
    this.#to('OPEN', nowMs);
  }

  #to(state: 'CLOSED' | 'OPEN' | 'HALF_OPEN', nowMs: number): void {
    this.state = state;
    this.era++;
    this.#samples = [];
    this.#probes = [];
    this.#verdicts = [];
    this.#row = 0;
    this.#since = nowMs;
  }
}
