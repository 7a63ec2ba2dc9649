import type { Runtime, Timer } from '@souk/kernel';
import type { Child, Exit, ReadyFacts } from './child.ts';

/**
 *   starting --ready--> ready --exit--> waiting --(backoff)--> starting ...      stop(): -> stopping -> stopped
 */
export type ProcessState = 'starting' | 'ready' | 'waiting' | 'stopping' | 'stopped';

export interface ManagedProcessInit {
  readonly name: string;
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  /** Starts the program once more. */
  readonly spawn: () => Child;
  readonly onChange?: (process: ManagedProcess, event: ProcessEvent) => void;
  /** How long it may take to leave before it is ended, in milliseconds. @default 40000 */
  readonly stopMs?: number;
}

export type ProcessEvent =
  | { readonly kind: 'ready'; readonly tookMs: number }
  | { readonly kind: 'ended'; readonly exit: Exit; readonly againInMs: number }
  /** It has ended so often in so short a time that somebody should look. Told once per series. */
  | { readonly kind: 'crash-loop'; readonly ends: number; readonly withinMs: number }
  | { readonly kind: 'stopped'; readonly forced: boolean };

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** A process that served so long has recovered: the pauses begin anew. */
const STABLE_MS = 30_000;
const LOOP_ENDS = 5;
const LOOP_MS = 60_000;
const STOP_MS = 40_000;

/** Keeps one process running until it is told to stop: starts it again whenever it ends, after pauses that grow to ten seconds. */
export class ManagedProcess {
  readonly name: string;
  readonly #init: ManagedProcessInit;
  readonly #ended = Promise.withResolvers<void>();
  #ready = Promise.withResolvers<ReadyFacts>();
  #state: ProcessState = 'stopped';
  #child: Child | undefined;
  #facts: ReadyFacts | undefined;
  #sinceMs = 0;
  #restarts = 0;
  #failures = 0;
  #ends: number[] = [];
  #told = false;
  #lastExit: Exit | undefined;
  #pause: Timer | undefined;

  constructor(init: ManagedProcessInit) {
    this.name = init.name;
    this.#init = init;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Of the run that goes on; undefined between runs. */
  get child(): Child | undefined {
    return this.#child;
  }

  get facts(): ReadyFacts | undefined {
    return this.#state === 'ready' || this.#state === 'stopping' ? this.#facts : undefined;
  }

  /** Milliseconds in this state. */
  get ageMs(): number {
    return this.#init.runtime.clock.monotonicMs() - this.#sinceMs;
  }

  /** Starts after an end that nobody wanted. */
  get restarts(): number {
    return this.#restarts;
  }

  get lastExit(): Exit | undefined {
    return this.#lastExit;
  }

  get isLooping(): boolean {
    return this.#told;
  }

  start(): void {
    if (this.#state === 'stopped') this.#launch();
  }

  /** Resolves when it serves, this time or the next. */
  whenReady(): Promise<ReadyFacts> {
    return this.#ready.promise;
  }

  /** Lets it finish what it has, and does not start it again. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#pause?.cancel();
    const child = this.#child;
    this.#turn('stopping');
    if (child === undefined) {
      this.#finish(false);
      return;
    }
    let forced = false;
    const { runtime, stopMs = STOP_MS } = this.#init;
    const timer = runtime.timers.after(stopMs, () => {
      forced = true;
      child.kill();
    });
    child.stop();
    await child.exit;
    timer.cancel();
    this.#finish(forced);
  }

  /** Resolves when it was stopped. */
  get stopped(): Promise<void> {
    return this.#ended.promise;
  }

  #launch(): void {
    const { runtime, spawn } = this.#init;
    const begunMs = runtime.clock.monotonicMs();
    const child = spawn();
    this.#child = child;
    this.#facts = undefined;
    this.#turn('starting');
    void child.ready.then((facts) => {
      if (this.#child !== child || this.#state !== 'starting') return;
      this.#facts = facts;
      this.#turn('ready');
      this.#ready.resolve(facts);
      this.#tell({ kind: 'ready', tookMs: runtime.clock.monotonicMs() - begunMs });
    });
    void child.exit.then((exit) => this.#onExit(child, exit));
  }

  #onExit(child: Child, exit: Exit): void {
    if (this.#child !== child) return;
    this.#lastExit = exit;
    if (this.#state === 'stopping') return;
    const { runtime } = this.#init;
    if (this.#state === 'ready') {
      if (this.ageMs >= STABLE_MS) this.#failures = 0;
      this.#ready = Promise.withResolvers();
    }
    this.#child = undefined;
    const againInMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures++, 20));
    this.#restarts++;
    this.#turn('waiting');
    this.#pause = runtime.timers.after(againInMs, () => this.#launch());
    this.#tell({ kind: 'ended', exit, againInMs });
    this.#watchLoop();
  }

  #watchLoop(): void {
    const nowMs = this.#init.runtime.clock.monotonicMs();
    this.#ends = [...this.#ends.filter((atMs) => nowMs - atMs < LOOP_MS), nowMs];
    if (this.#ends.length < LOOP_ENDS) {
      if (this.#ends.length === 1) this.#told = false;
      return;
    }
    if (!this.#told) this.#tell({ kind: 'crash-loop', ends: this.#ends.length, withinMs: LOOP_MS });
    this.#told = true;
  }

  #finish(forced: boolean): void {
    this.#child = undefined;
    this.#turn('stopped');
    this.#ended.resolve();
    this.#tell({ kind: 'stopped', forced });
  }

  #turn(state: ProcessState): void {
    this.#state = state;
    this.#sinceMs = this.#init.runtime.clock.monotonicMs();
  }

  #tell(event: ProcessEvent): void {
    this.#init.onChange?.(this, event);
  }
}
