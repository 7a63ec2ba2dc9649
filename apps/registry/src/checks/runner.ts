import { type Runtime, raceAbort, type Timer } from '@souk/kernel';
import type { Status } from '../state/catalog.ts';
import type { CheckDefinition } from './definition.ts';
import { probe } from './probe.ts';
import type { ProbeResult } from './probe-result.ts';
import type { TargetGuard } from './target-guard.ts';
import { createThresholds } from './thresholds.ts';

/** Probes what checks say, each in its own rhythm. */
export interface CheckRunner {
  /** Takes the place of the check of the same id. */
  start(definition: CheckDefinition): void;
  stop(id: string): void;
  stopAll(): void;
  readonly running: number;
}

export interface RunnerOptions {
  readonly runtime: Runtime;
  readonly guard: TargetGuard;
  /** Told of each result. `status` is undefined when it stays as it is. */
  readonly onResult: (definition: CheckDefinition, status: Status | undefined, result: ProbeResult) => void;
  /** How to ask; tests replace it. */
  readonly ask?: typeof probe;
}

export function createCheckRunner({ runtime, guard, onResult, ask = probe }: RunnerOptions): CheckRunner {
  const running = new Map<string, () => void>();

  const begin = (definition: CheckDefinition): (() => void) => {
    const { target, intervalMs, timeoutMs, maxOutputBytes } = definition;
    if (target === undefined) return () => {};
    const thresholds = createThresholds(definition);
    const stopped = new AbortController();
    let timer: Timer;

    const run = async (): Promise<void> => {
      const limit = new AbortController();
      const onStop = (): void => limit.abort();
      stopped.signal.addEventListener('abort', onStop, { once: true });
      const timeout = runtime.timers.after(timeoutMs, () => limit.abort());
      const asked = ask(target, { signal: limit.signal, guard, maxBytes: maxOutputBytes });
      // Also when what was asked ignores the signal.
      const result = await raceAbort(asked, limit.signal).catch(
        (): ProbeResult => ({ status: 'critical', output: `${definition.name}: timed out` }),
      );
      timeout.cancel();
      stopped.signal.removeEventListener('abort', onStop);
      if (stopped.signal.aborted) return;
      onResult(definition, thresholds.take(result.status), result);
      timer = runtime.timers.after(intervalMs, () => void run());
    };

    // All at once after a restart would be a stampede.
    timer = runtime.timers.after(runtime.random.next() * intervalMs, () => void run());
    return () => {
      stopped.abort();
      timer.cancel();
    };
  };

  const stop = (id: string): void => {
    running.get(id)?.();
    running.delete(id);
  };
  return {
    start: (definition) => {
      stop(definition.id);
      running.set(definition.id, begin(definition));
    },
    stop,
    stopAll: () => {
      for (const id of [...running.keys()]) stop(id);
    },
    get running() {
      return running.size;
    },
  };
}
