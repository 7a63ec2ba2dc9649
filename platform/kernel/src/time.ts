/** Reads the time. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. May jump: never subtract two readings. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  monotonicMs(): number;
}

export interface Timer {
  /** Makes sure that the timer never fires, or never again. */
  cancel(): void;
}

/** Runs something later. */
export interface Timers {
  /** Runs `run` once, `delayMs` from now. Does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` every `intervalMs`; a run that takes longer delays the next. Does not keep the process alive. */
  every(intervalMs: number, run: () => void): Timer;
  /**
   * Resolves `delayMs` from now.
   * @throws the signal's reason when the signal aborts first
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
