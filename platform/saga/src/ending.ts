/**
 * Ends what belongs together. Beside the signal for what waits elsewhere it has a list of its own, because a listener on an AbortSignal
 * costs more than a whole step.
 */
export interface Ending {
  readonly signal: AbortSignal;
  readonly ended: boolean;
  /** Safe to call twice: the first reason holds. */
  end(reason: unknown): void;
  /** Called at the end, at most once. @returns takes it off the list */
  onEnd(run: (reason: unknown) => void): () => void;
}

export function createEnding(): Ending {
  const controller = new AbortController();
  const listeners = new Set<(reason: unknown) => void>();
  return {
    signal: controller.signal,
    get ended() {
      return controller.signal.aborted;
    },
    end: (reason) => {
      if (controller.signal.aborted) return;
      controller.abort(reason);
      for (const run of [...listeners]) run(reason);
      listeners.clear();
    },
    onEnd: (run) => {
      listeners.add(run);
      return () => void listeners.delete(run);
    },
  };
}
