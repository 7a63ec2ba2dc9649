import type { Runtime, Timer } from '@souk/kernel';
import { type AdviceMessage, parseAdviceMessage } from './advice-message.ts';
import {
  type BreakerSharingOptions,
  type BreakerSharingSettings,
  jittered,
  resolveBreakerSharing,
} from './advice-options.ts';
import { type AdviceChannel, type AdviceOutbox, createAdviceOutbox } from './advice-outbox.ts';
import { type BreakerAdvice, type BreakerReport, createBreakerAdvice, type Verdict } from './breaker-advice.ts';
import type { BreakerSettings } from './breaker-options.ts';
import type { Breaker, BreakerTransition } from './breaker-types.ts';
import { resilienceErrors } from './errors.ts';
import {
  createOperatorCommands,
  type HeldCommand,
  isSameCommand,
  type OperatorCommand,
  type OperatorCommands,
  type OperatorOrder,
} from './operator-commands.ts';
import { createProbeLease, type LeaseStore } from './probe-lease.ts';
import { AdvisedBreaker, type SharedBreaker } from './shared-breaker.ts';

/*
 * S1 Nothing that comes in, and no failure of channel or stores, reaches a caller or changes how a breaker works alone.
 * S2 One instance cannot open a breaker elsewhere; a quorum only makes others look harder.
 * S3 What was lost on the channel is said again within `everyMs`.
 * S4 While lease store and advice work, at most one instance probes a key.
 * S5 A command acts on all instances that can be reached within 2 s, and one sees on which.
 */

/** Keeps commands while nobody runs, and decides between two operators. */
export interface CommandStore {
  /** The last command of each key, with what is left of its time by the store's clock. */
  load(): Promise<readonly (OperatorCommand & { readonly remainingMs: number })[]>;
  /** In one atomic step. @returns false when the version kept for the key is another */
  save(command: OperatorCommand & { readonly remainingMs: number }, expectedVersion: number): Promise<boolean>;
}

export interface BreakerSharingInit {
  /** Names this run of this process, unlike any other. */
  readonly instance: string;
  readonly channel: AdviceChannel;
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
  /** Without it every instance probes by itself. */
  readonly leases?: LeaseStore;
  /** Without it commands live as long as any instance that knows them. */
  readonly commands?: CommandStore;
  readonly options?: BreakerSharingOptions;
}

/** Counts since the start. Whoever wants metrics reads them. */
export class BreakerSharingStats {
  published = 0;
  publishFailures = 0;
  dropped = 0;
  received = 0;
  /** Came in and made no sense. */
  garbage = 0;
  stale = 0;
  /** Made sense, but there was no room for it. */
  overflow = 0;
  subscribeFailures = 0;
  /** Times that a breaker here was told something by the others. */
  advised = 0;
  leaseFailures = 0;
  localProbes = 0;
  commandStoreFailures = 0;
}

/** For the operator. */
export interface SharedBreakerView {
  readonly key: string;
  readonly verdict: Verdict;
  readonly reports: readonly BreakerReport[];
  /** Whether the breaker here follows the advice now. */
  readonly isFollowing: boolean;
  /** The last command, also when its time is over. */
  readonly command: HeldCommand | undefined;
  /** Live instances that act on that command, and those not heard to do so yet. */
  readonly acknowledged: readonly string[];
  readonly missing: readonly string[];
}

export interface BreakerSharing {
  readonly name: string;
  readonly stats: BreakerSharingStats;
  start(): Promise<void>;
  stop(): Promise<void>;
  /**
   * Shares a breaker.
   * @param key Names the target, the same on all instances.
   * @param make Makes the breaker; it must tell of its transitions.
   * @throws RESILIENCE_BAD_OPTION when the key is shared here already
   */
  share(
    key: string,
    limits: Pick<BreakerSettings, 'minCalls' | 'halfOpenMaxWaitMs'>,
    make: (onTransition: (change: BreakerTransition) => void) => Breaker,
  ): SharedBreaker;
  /**
   * Gives a command to all instances.
   * @param expectedVersion Of the command that the operator saw; 0 for none.
   * @throws RESILIENCE_BAD_OPTION, also when another was given meanwhile; what the command store threw
   */
  command(order: OperatorOrder, expectedVersion: number): Promise<HeldCommand>;
  view(key: string): SharedBreakerView;
  keys(): readonly string[];
}

/** @throws RESILIENCE_BAD_OPTION */
export function createBreakerSharing(init: BreakerSharingInit): BreakerSharing {
  return new Driver(init);
}

/** Looks after things so many times for each report sent. */
const ROUNDS = 4;
const MAX_INSTANCES = 1_000;

class Driver implements BreakerSharing {
  readonly name = 'breaker sharing';
  readonly stats = new BreakerSharingStats();
  readonly #init: BreakerSharingInit;
  readonly #settings: BreakerSharingSettings;
  readonly #board: BreakerAdvice;
  readonly #outbox: AdviceOutbox;
  readonly #commands: OperatorCommands = createOperatorCommands();
  readonly #shared = new Map<string, AdvisedBreaker>();
  /** When an instance was last heard of, and by key the version of the command that it acts on. */
  readonly #others = new Map<string, { heardMs: number; readonly versions: Map<string, number> }>();
  readonly #changed = new Set<AdvisedBreaker>();
  #isRunning = false;
  #unsubscribe: (() => void) | undefined;
  #timer: Timer | undefined;
  #changeTimer: Timer | undefined;
  #round = 0;
  #seq: number;
  #isLoading = false;

  constructor(init: BreakerSharingInit) {
    this.#init = init;
    this.#settings = resolveBreakerSharing(init.options);
    this.#board = createBreakerAdvice(this.#settings);
    // An instance that starts anew under its old name is not taken for an echo of itself.
    this.#seq = Math.max(0, Math.floor(init.runtime.clock.now()));
    const { channel, runtime } = init;
    this.#outbox = createAdviceOutbox({ channel, settings: this.#settings, timers: runtime.timers, stats: this.stats });
  }

  async start(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#round = 0;
    this.#look();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    this.#changeTimer?.cancel();
    this.#changeTimer = undefined;
    this.#outbox.clear();
    const unsubscribe = this.#unsubscribe;
    this.#unsubscribe = undefined;
    try {
      unsubscribe?.();
    } catch {
      this.stats.subscribeFailures++;
    }
  }

  share(
    key: string,
    limits: Pick<BreakerSettings, 'minCalls' | 'halfOpenMaxWaitMs'>,
    make: (onTransition: (change: BreakerTransition) => void) => Breaker,
  ): SharedBreaker {
    if (this.#shared.has(key))
      throw resilienceErrors.BAD_OPTION({ option: 'breakerSharing.key', want: 'one that is not shared yet', got: key });
    const { runtime, leases: store, instance: holder } = this.#init;
    const settings = this.#settings;
    const shared: AdvisedBreaker = new AdvisedBreaker({
      ...{ key, limits, make, settings, random: runtime.random },
      lease: store && createProbeLease({ key, holder, store, settings, runtime, stats: this.stats }),
      onChange: () => this.#noteChange(shared),
      onUnshare: () => this.#unshare(shared),
    });
    this.#shared.set(key, shared);
    const nowMs = this.#nowMs;
    shared.obey(this.#commands.active(key, nowMs), nowMs);
    // What was heard before the breaker was here counts at once.
    if (this.#isRunning) this.#say(shared, nowMs);
    return shared;
  }

  async command(order: OperatorOrder, expectedVersion: number): Promise<HeldCommand> {
    const draft = this.#commands.draft(order, expectedVersion, this.#nowMs);
    const store = this.#init.commands;
    if (store !== undefined && !(await store.save(this.#onWire(draft), expectedVersion))) {
      this.#load();
      const want = 'the version that holds now: another command was given meanwhile';
      throw resilienceErrors.BAD_OPTION({ option: 'command.expectedVersion', want, got: expectedVersion });
    }
    this.#adopt(draft);
    return draft;
  }

  view(key: string): SharedBreakerView {
    const nowMs = this.#nowMs;
    const shared = this.#shared.get(key);
    const command = this.#commands.last(key);
    const acknowledged: string[] = command === undefined ? [] : [this.#init.instance];
    const missing: string[] = [];
    for (const [instance, { heardMs, versions }] of command === undefined ? [] : this.#others) {
      if (nowMs - heardMs >= this.#settings.ttlMs) continue;
      if (versions.get(key) === command?.version) acknowledged.push(instance);
      else missing.push(instance);
    }
    return {
      ...{ key, command, acknowledged: acknowledged.sort(), missing: missing.sort() },
      verdict: this.#board.verdict(key, shared?.minCalls ?? 0, nowMs),
      reports: this.#board.reports(key, nowMs),
      isFollowing: shared?.isFollowing(nowMs) ?? false,
    };
  }

  keys(): readonly string[] {
    return [...new Set([...this.#shared.keys(), ...this.#board.keys(this.#nowMs)])].sort();
  }

  get #nowMs(): number {
    return this.#init.runtime.clock.monotonicMs();
  }

  /** Every quarter of `everyMs`, at moments of its own: looks whether anything ended, and every fourth time says everything. */
  #look(): void {
    if (!this.#isRunning) return;
    const { runtime } = this.#init;
    const { everyMs, jitter } = this.#settings;
    this.#timer = runtime.timers.after(jittered(everyMs / ROUNDS, jitter, runtime.random.next()), () => this.#look());
    const nowMs = this.#nowMs;
    const isFull = this.#round++ % ROUNDS === 0;
    if (this.#unsubscribe === undefined) this.#subscribe();
    if (isFull) {
      this.#load();
      this.#forgetOthers(nowMs);
    }
    for (const command of this.#commands.all())
      if (isFull || this.view(command.key).missing.length > 0) this.#pass(command);
    for (const shared of this.#shared.values()) {
      shared.obey(this.#commands.active(shared.key, nowMs), nowMs);
      if (isFull) this.#say(shared, nowMs);
      else this.#advise(shared, nowMs);
    }
  }

  #subscribe(): void {
    try {
      this.#unsubscribe = this.#init.channel.subscribe((message) => this.#hear(message));
    } catch {
      // The next round tries again; until then every breaker is on its own.
      this.stats.subscribeFailures++;
    }
  }

  #hear(raw: unknown): void {
    if (!this.#isRunning) return;
    this.stats.received++;
    const message = parseAdviceMessage(raw);
    if (message === undefined) {
      this.stats.garbage++;
      return;
    }
    const { instance, key } = message;
    if (instance === this.#init.instance) return;
    const nowMs = this.#nowMs;
    const other = this.#others.get(instance) ?? { heardMs: nowMs, versions: new Map<string, number>() };
    if (!this.#others.has(instance)) {
      if (this.#others.size >= MAX_INSTANCES) this.#forgetOthers(nowMs);
      if (this.#others.size >= MAX_INSTANCES) {
        this.stats.overflow++;
        return;
      }
      this.#others.set(instance, other);
    }
    if (message.kind === 'report') {
      const verdict = this.#board.accept(message, nowMs);
      if (verdict === 'stale') this.stats.stale++;
      if (verdict === 'full') this.stats.overflow++;
      if (verdict !== 'accepted') return;
      other.heardMs = nowMs;
      const shared = this.#shared.get(key);
      if (shared !== undefined) this.#advise(shared, nowMs);
      return;
    }
    const { action, version, owner, reason, remainingMs } = message;
    other.heardMs = nowMs;
    this.#adopt({ key, action, version, owner, reason, untilMs: nowMs + remainingMs });
    const held = this.#commands.last(key);
    if (held === undefined) return;
    if (version === held.version) other.versions.set(key, version);
    else if (version < held.version) this.#pass(held);
  }

  /** Takes a command over, wherever it comes from, and says so. */
  #adopt(command: HeldCommand): void {
    const nowMs = this.#nowMs;
    const before = this.#commands.last(command.key);
    const held = this.#commands.accept(command, nowMs);
    if (held === undefined) {
      if (before === undefined) this.stats.overflow++;
      return;
    }
    this.#shared.get(command.key)?.obey(this.#commands.active(command.key, nowMs), nowMs);
    if (before === undefined || !isSameCommand(held, before)) this.#pass(held);
  }

  #onWire({ untilMs, ...command }: HeldCommand): OperatorCommand & { readonly remainingMs: number } {
    return { ...command, remainingMs: Math.max(0, untilMs - this.#nowMs) };
  }

  #pass(command: HeldCommand): void {
    if (!this.#isRunning) return;
    const message: AdviceMessage = { kind: 'command', instance: this.#init.instance, ...this.#onWire(command) };
    this.#outbox.put(`command ${command.key}`, message);
  }

  /** Told from inside a call of a breaker: what it leads to happens after that call. */
  #noteChange(shared: AdvisedBreaker): void {
    if (!this.#isRunning) return;
    this.#changed.add(shared);
    this.#changeTimer ??= this.#init.runtime.timers.after(0, () => {
      this.#changeTimer = undefined;
      const nowMs = this.#nowMs;
      for (const changed of this.#changed) if (this.#shared.get(changed.key) === changed) this.#say(changed, nowMs);
      this.#changed.clear();
    });
  }

  #say(shared: AdvisedBreaker, nowMs: number): void {
    const report = shared.report(this.#init.instance, ++this.#seq, nowMs);
    this.#board.accept(report, nowMs);
    this.#outbox.put(`report ${shared.key}`, { kind: 'report', ...report });
    this.#advise(shared, nowMs);
  }

  #advise(shared: AdvisedBreaker, nowMs: number): void {
    if (shared.follow(this.#board.verdict(shared.key, shared.minCalls, nowMs), nowMs)) this.stats.advised++;
  }

  #unshare(shared: AdvisedBreaker): void {
    if (this.#shared.get(shared.key) !== shared) return;
    this.#shared.delete(shared.key);
    shared.alone(this.#nowMs);
  }

  #forgetOthers(nowMs: number): void {
    for (const [instance, { heardMs }] of this.#others)
      if (nowMs - heardMs >= this.#settings.ttlMs) this.#others.delete(instance);
  }

  /** One question to the store at a time; one that hangs leaves us with what the channel brings. */
  #load(): void {
    const store = this.#init.commands;
    if (store === undefined || this.#isLoading) return;
    this.#isLoading = true;
    (async () => store.load())()
      .then((commands) => {
        for (const command of commands) {
          const parsed = parseAdviceMessage({ ...command, kind: 'command', instance: 'store' });
          if (parsed?.kind !== 'command') this.stats.garbage++;
          else {
            const { kind: _, instance: __, remainingMs, ...rest } = parsed;
            this.#adopt({ ...rest, untilMs: this.#nowMs + remainingMs });
          }
        }
      })
      .catch(() => {
        this.stats.commandStoreFailures++;
      })
      .finally(() => {
        this.#isLoading = false;
      });
  }
}
