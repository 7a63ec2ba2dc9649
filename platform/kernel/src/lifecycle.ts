import { fromUnknown, kernelErrors } from './error-catalogue.ts';
import type { Logger } from './logger.ts';
import type { Runtime } from './runtime.ts';

/** Something that starts and stops. */
export interface Part {
  readonly name: string;
  /** Resolves when the part does its work. */
  start?(): Promise<void>;
  /** Resolves when the part has let go of everything. Called once, also after a failed start of a later part. */
  stop?(): Promise<void>;
  /** Longest wait for `stop`, in milliseconds. @default 10000 */
  readonly stopTimeoutMs?: number;
}

export interface Lifecycle {
  /** Adds a part; parts start in the order they were added and stop in reverse. */
  add(part: Part): void;
  /**
   * Starts all parts. When one fails, those that run are stopped in reverse before the error is thrown.
   * @throws SOUK_START_FAILED naming the part
   */
  start(): Promise<void>;
  /** Stops all running parts in reverse. Never throws: what fails or takes too long is logged, and the next part is stopped. */
  stop(): Promise<void>;
  readonly state: 'new' | 'starting' | 'running' | 'stopping' | 'stopped';
}

const STOP_TIMEOUT_MS = 10_000;

export function createLifecycle(options: { runtime: Runtime; log: Logger }): Lifecycle {
  const { runtime, log } = options;
  const parts: Part[] = [];
  const running: Part[] = [];
  let state: Lifecycle['state'] = 'new';
  let stopping: Promise<void> | undefined;

  const stopPart = async (part: Part): Promise<void> => {
    const ms = part.stopTimeoutMs ?? STOP_TIMEOUT_MS;
    const limit = Promise.withResolvers<never>();
    const timer = runtime.timers.after(ms, () => limit.reject(kernelErrors.STOP_TIMED_OUT({ part: part.name, ms })));
    try {
      await Promise.race([part.stop?.(), limit.promise]);
    } catch (error) {
      log.error('a part did not stop cleanly', { part: part.name, err: fromUnknown(error) });
    } finally {
      timer.cancel();
    }
  };

  const stopAll = async (): Promise<void> => {
    state = 'stopping';
    for (let part = running.pop(); part !== undefined; part = running.pop()) await stopPart(part);
    state = 'stopped';
  };

  return {
    get state() {
      return state;
    },
    add: (part) => void parts.push(part),
    start: async () => {
      state = 'starting';
      for (const part of parts) {
        // A stop that was asked for while starting wins.
        if (stopping !== undefined) return stopping;
        try {
          await part.start?.();
          running.push(part);
        } catch (thrown) {
          const error = fromUnknown(thrown);
          await stopAll();
          throw error.reason === 'SOUK_INTERNAL'
            ? kernelErrors.START_FAILED({ part: part.name, why: describe(error.cause) }, { cause: error.cause })
            : error;
        }
      }
      if (stopping === undefined) state = 'running';
      else await stopping;
    },
    stop: () => {
      stopping ??= stopAll();
      return stopping;
    },
  };
}

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
