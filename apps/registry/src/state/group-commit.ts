import { fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import { registryErrors } from '../errors.ts';
import type { Change, Commits } from './commits.ts';
import type { Revisions } from './revisions.ts';

/** Where changes are kept, so that they outlive the process. */
export interface Journal {
  /** Adds what one change logged. Nothing is on disk yet. */
  append(rev: number, entries: readonly LogEntry[]): void;
  /** Resolves when all that was appended is on disk. @throws what the disk says: nothing is lost, and the next call tries again */
  sync(): Promise<void>;
}

export type LogEntry = readonly [persistent: string, entry: unknown];

export interface GroupCommit extends Commits {
  /** Makes what waits now, without waiting for more. */
  flush(): Promise<void>;
  /** Changes that wait now are still made; later ones are refused. Resolves when all are answered. */
  close(): Promise<void>;
}

interface Waiting {
  make(): void;
  settle(): void;
  refuse(error: unknown): void;
}

/** After the disk has refused a write, no change is taken for so long, in milliseconds. */
const REFUSED_FOR_MS = 1000;

/**
 * Makes changes in groups: the first one that comes waits `delayMs`, and all that come meanwhile go with it, at the price of one sync.
 *
 * @param options.delayMs Longer: fewer syncs, and a client that starts to watch just after it has sent a write still sees the state before.
 */
export function createGroupCommit(options: {
  readonly runtime: Runtime;
  readonly revisions: Revisions;
  readonly log: Logger;
  readonly delayMs: number;
  readonly journal?: Journal | undefined;
}): GroupCommit {
  const { runtime, revisions, log, delayMs, journal } = options;
  let waiting: Waiting[] = [];
  let flushing: Promise<void> = Promise.resolve();
  let scheduled = false;
  let closed = false;
  let refusedUntilMs = -1;

  const make = <T>(change: (change: Change) => T): T => {
    let rev: number | undefined;
    const entries: LogEntry[] = [];
    const done = change({
      get rev() {
        rev ??= revisions.next();
        return rev;
      },
      log: (persistent, entry) => void entries.push([persistent, entry]),
    });
    if (rev !== undefined || entries.length > 0) journal?.append(rev ?? revisions.current, entries);
    return done;
  };

  const flush = async (): Promise<void> => {
    const group = waiting;
    waiting = [];
    if (group.length === 0) return;
    // All of it in one go: readers and watchers see whole groups.
    for (const one of group) one.make();
    try {
      await journal?.sync();
      for (const one of group) one.settle();
    } catch (thrown) {
      const error = notWritable(thrown);
      for (const one of group) one.refuse(error);
    }
  };

  const notWritable = (thrown: unknown): unknown => {
    refusedUntilMs = runtime.clock.monotonicMs() + REFUSED_FOR_MS;
    log.error('changes cannot be written to disk; they are refused until they can', { err: fromUnknown(thrown) });
    return registryErrors.NOT_WRITABLE({}, { cause: thrown });
  };

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    runtime.timers.after(delayMs, () => {
      scheduled = false;
      flushing = Promise.all([flushing, flush()]).then(() => {});
    });
  };

  return {
    run: <T>(change: (change: Change) => T) => {
      if (closed) return Promise.reject(registryErrors.STOPPING());
      if (runtime.clock.monotonicMs() < refusedUntilMs) return Promise.reject(registryErrors.NOT_WRITABLE());
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      let result: { readonly value: T } | undefined;
      waiting.push({
        make: () => {
          try {
            result = { value: make(change) };
          } catch (thrown) {
            reject(thrown);
          }
        },
        settle: () => result && resolve(result.value),
        refuse: reject,
      });
      schedule();
      return promise;
    },
    flush,
    close: async () => {
      closed = true;
      if (waiting.length > 0) await flush();
      await flushing;
    },
  };
}
