import type { Random } from '@souk/kernel';
import { type AdviceFollower, createAdviceFollower } from './advice-follower.ts';
import type { BreakerSharingSettings } from './advice-options.ts';
import type { BreakerReport, Verdict } from './breaker-advice.ts';
import type { BreakerSettings } from './breaker-options.ts';
import type {
  Breaker,
  BreakerMode,
  BreakerPermit,
  BreakerSnapshot,
  BreakerTransition,
  BreakerView,
} from './breaker-types.ts';
import { type HeldCommand, isSameCommand } from './operator-commands.ts';
import type { Outcome } from './outcome.ts';
import type { ProbeLease } from './probe-lease.ts';

/** A breaker that heeds what other instances and operators say. To its callers it is a breaker like any other. */
export interface SharedBreaker extends Breaker {
  /** It goes on alone, as any breaker does, and nobody is told of it any more. */
  unshare(): void;
}

type Limits = Pick<BreakerSettings, 'minCalls' | 'halfOpenMaxWaitMs'>;

/** The side that the driver sees. */
export class AdvisedBreaker implements SharedBreaker {
  readonly key: string;
  readonly #inner: Breaker;
  readonly #follower: AdviceFollower;
  #lease: ProbeLease | undefined;
  #onChange: () => void;
  readonly #onUnshare: () => void;
  #limits: Limits;
  #mode: BreakerMode = 'enforce';
  #obeyed: HeldCommand | undefined;
  /** Outcomes in the window when it was last looked at, and outcomes since. */
  #callsSeen = 0;
  #callsSince = 0;
  /** What it opened on. Kept until it closes: probes that fail do not make the finding smaller. */
  #openedOn: { readonly sample: number; readonly failureRate: number | undefined } | undefined;

  constructor(init: {
    readonly key: string;
    readonly limits: Limits;
    readonly make: (onTransition: (change: BreakerTransition) => void) => Breaker;
    readonly settings: BreakerSharingSettings;
    readonly random: Random;
    readonly lease: ProbeLease | undefined;
    readonly onChange: () => void;
    readonly onUnshare: () => void;
  }) {
    this.key = init.key;
    this.#limits = init.limits;
    this.#follower = createAdviceFollower(init.settings, init.random);
    this.#lease = init.lease;
    this.#onChange = init.onChange;
    this.#onUnshare = init.onUnshare;
    this.#inner = init.make((change) => this.#noteTransition(change));
  }

  get minCalls(): number {
    return this.#limits.minCalls;
  }

  isFollowing(nowMs: number): boolean {
    return this.#follower.isFollowing(nowMs);
  }

  tryAcquire(nowMs: number): BreakerPermit | undefined {
    if (this.#lease !== undefined && this.#follower.isFollowing(nowMs) && !this.#mayTry(this.#lease, nowMs))
      return undefined;
    return this.#inner.tryAcquire(nowMs);
  }

  settle(permit: BreakerPermit, outcome: Outcome, nowMs: number, error?: unknown): void {
    if (!permit.released && (outcome === 'success' || outcome === 'failure')) {
      this.#callsSince++;
      if (outcome === 'success') this.#follower.noteSuccess(permit.startedMs, nowMs);
    }
    this.#inner.settle(permit, outcome, nowMs, error);
  }

  get isGuarding(): boolean {
    return this.#inner.isGuarding;
  }

  retryAfterMs(nowMs: number): number {
    const ownMs = this.#inner.retryAfterMs(nowMs);
    if (ownMs > 0 || this.#lease === undefined || !this.#follower.isFollowing(nowMs)) return ownMs;
    return this.#inner.peek(nowMs).state === 'OPEN' ? this.#lease.retryAfterMs(nowMs) : 0;
  }

  peek(nowMs: number): BreakerView {
    return this.#inner.peek(nowMs);
  }

  isolate(by: Parameters<Breaker['isolate']>[0], nowMs: number): void {
    this.#inner.isolate(by, nowMs);
  }

  release(owner: string, nowMs: number): void {
    this.#inner.release(owner, nowMs);
  }

  forceClosed(by: Parameters<Breaker['forceClosed']>[0], nowMs: number): void {
    this.#inner.forceClosed(by, nowMs);
  }

  reset(nowMs: number): void {
    this.#inner.reset(nowMs);
  }

  /** While an operator's command sets the mode, the configured one waits for its end. */
  setMode(mode: BreakerMode, nowMs: number): void {
    this.#mode = mode;
    if (modeOf(this.#obeyed) === undefined) this.#inner.setMode(mode, nowMs);
  }

  advise(untilMs: number, nowMs: number): void {
    this.#inner.advise(untilMs, nowMs);
  }

  snapshot(nowMs: number): BreakerSnapshot {
    return this.#inner.snapshot(nowMs);
  }

  restore(snapshot: BreakerSnapshot, nowMs: number): void {
    this.#inner.restore(snapshot, nowMs);
  }

  configure(settings: BreakerSettings, nowMs: number): void {
    this.#limits = settings;
    this.#inner.configure(settings, nowMs);
  }

  unshare(): void {
    this.#onUnshare();
  }

  /** What this instance says of it now. */
  report(instance: string, seq: number, nowMs: number): BreakerReport {
    const { state, generation, calls, failureRate, sinceMs } = this.#inner.peek(nowMs);
    this.#callsSeen = calls;
    this.#callsSince = 0;
    if (state === 'CLOSED') this.#openedOn = undefined;
    return {
      ...{ key: this.key, instance, state, generation, seq },
      sample: this.#openedOn?.sample ?? calls,
      failureRate: this.#openedOn === undefined ? failureRate : this.#openedOn.failureRate,
      sinceMs: Math.max(0, nowMs - sinceMs),
    };
  }

  /** @returns Whether the breaker was told anything. */
  follow(verdict: Verdict, nowMs: number): boolean {
    const untilMs = this.#follower.update(verdict, nowMs);
    if (untilMs === undefined) return false;
    this.#inner.advise(untilMs, nowMs);
    return true;
  }

  /** The command that holds now, or none. What an earlier one did is undone first. */
  obey(command: HeldCommand | undefined, nowMs: number): void {
    const before = this.#obeyed;
    if (command === before || (command !== undefined && before !== undefined && isSameCommand(command, before))) return;
    this.#obeyed = command;
    if (before?.action === 'isolate') this.#inner.release(ownerOf(before), nowMs);
    if (command?.action === 'isolate') {
      const by = { owner: ownerOf(command), reason: command.reason, ttlMs: command.untilMs - nowMs };
      this.#inner.isolate(by, nowMs);
    }
    const mode = modeOf(command);
    if (mode !== modeOf(before)) this.#inner.setMode(mode ?? this.#mode, nowMs);
  }

  /** Asks for no more leases, obeys nobody and tells nobody. What was advised last ends by itself. */
  alone(nowMs: number): void {
    this.obey(undefined, nowMs);
    this.#lease = undefined;
    this.#onChange = () => {};
  }

  #mayTry(lease: ProbeLease, nowMs: number): boolean {
    const { state, eligible, generation } = this.#inner.peek(nowMs);
    return state !== 'OPEN' || !eligible || lease.mayProbe(generation, this.#limits.halfOpenMaxWaitMs, nowMs);
  }

  #noteTransition({ from, to, failureRate, nowMs }: BreakerTransition): void {
    if (from === 'CLOSED' && to === 'OPEN')
      this.#openedOn = { sample: this.#callsSeen + this.#callsSince, failureRate };
    if (to === 'CLOSED') {
      this.#openedOn = undefined;
      this.#lease?.giveBack(nowMs);
    }
    this.#callsSeen = 0;
    this.#callsSince = 0;
    this.#onChange();
  }
}

const ownerOf = (command: HeldCommand): string => `command:${command.owner}`;

const modeOf = (command: HeldCommand | undefined): BreakerMode | undefined =>
  command?.action === 'disable' ? 'disabled' : command?.action === 'metrics_only' ? 'metrics_only' : undefined;
