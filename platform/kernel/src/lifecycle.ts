import { fromUnknown, kernelErrors } from './error-catalogue.ts';
import type { Logger } from './logger.ts';
import type { Runtime } from './runtime.ts';
import type { SoukError } from './souk-error.ts';

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
  /**
   * Adds a part; parts start in the order they were added and stop in reverse.
   * @throws SOUK_ALREADY_STARTED when all have started: it would be neither started nor stopped
   */
  add(part: Part): void;
  /**
   * Starts all parts, once. When one fails, those that run are stopped in reverse before the error is thrown; it cleans up after
   * itself. A stop that is asked for meanwhile wins: the part that is starting is waited for and stopped with the others, no
   * further one starts, and `start` resolves when all are stopped. `state` tells which it was.
   * @throws SOUK_START_FAILED naming the part, or the part's own SoukError
   */
  start(): Promise<void>;
  /**
   * Stops all running parts in reverse. Asked twice, it is done once. Never throws: what fails or takes too long is logged, and
   * the next part is stopped.
   */
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
  const stopAsked = Promise.withResolvers<void>();
  /** Settles when the part that is starting has done so, one way or the other. */
  let starting: { readonly part: Part; readonly done: Promise<void> } | undefined;

  // start():  new -> starting -> running, or -> stopping -> stopped when a part fails or a stop is asked for
  // stop():   new | starting | running -> stopping -> stopped
  // A part is in `running` from the end of its start until its stop begins, so it is stopped exactly once.

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

  /** A part that hangs while it starts must not keep the others from stopping. It is stopped when it comes up late. */
  const settleStarting = async (): Promise<void> => {
    if (starting === undefined) return;
    const { part, done } = starting;
    const ms = part.stopTimeoutMs ?? STOP_TIMEOUT_MS;
    const limit = Promise.withResolvers<void>();
    const timer = runtime.timers.after(ms, () => {
      log.error('a part was still starting when it had to stop', { part: part.name, ms });
      limit.resolve();
    });
    await Promise.race([done, limit.promise]);
    timer.cancel();
  };

  const stopAll = async (): Promise<void> => {
    state = 'stopping';
    await settleStarting();
    for (let part = running.pop(); part !== undefined; part = running.pop()) await stopPart(part);
    state = 'stopped';
  };

  const stop = (): Promise<void> => {
    stopping ??= stopAll();
    stopAsked.resolve();
    return stopping;
  };

  const startPart = async (part: Part): Promise<void> => {
    const { promise: done, resolve } = Promise.withResolvers<void>();
    starting = { part, done };
    try {
      await part.start?.();
      if (state === 'stopped') await stopPart(part);
      else running.push(part);
    } catch (thrown) {
      if (stopping === undefined) throw startError(part, fromUnknown(thrown));
      log.error('a part failed to start while it was being stopped', { part: part.name, err: fromUnknown(thrown) });
    } finally {
      starting = undefined;
      resolve();
    }
  };

  return {
    get state() {
      return state;
    },
    add: (part) => {
      if (state !== 'new' && state !== 'starting') throw kernelErrors.ALREADY_STARTED({ part: 'the lifecycle' });
      parts.push(part);
    },
    start: async () => {
      if (stopping !== undefined) return stopping;
      if (state !== 'new') throw kernelErrors.ALREADY_STARTED({ part: 'the lifecycle' });
      state = 'starting';
      for (const part of parts) {
        try {
          await Promise.race([startPart(part), stopAsked.promise]);
        } catch (error) {
          await stop();
          throw error;
        }
        if (stopping !== undefined) return stopping;
      }
      state = 'running';
    },
    stop,
  };
}

const startError = (part: Part, error: SoukError): SoukError =>
  error.reason === 'SOUK_INTERNAL'
    ? kernelErrors.START_FAILED({ part: part.name, why: describe(error.cause) }, { cause: error.cause })
    : error;

const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
