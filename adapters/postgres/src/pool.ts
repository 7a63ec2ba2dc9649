import { type Context, fromUnknown, hasReason, type Runtime, type SoukError, type Timer } from '@souk/kernel';
import { storeErrors } from '@souk/store';
import { type Connection, type ConnectionInit, openConnection } from './connection.ts';
import { fromDriver } from './errors.ts';
import type { PoolOptions } from './options.ts';

interface Waiter {
  /** Monotonic milliseconds from which there is nobody to serve. */
  readonly dueMs: number;
  readonly giveUp: () => void;
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: SoukError) => void;
}

export interface PoolState {
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
}

/**
 * Connections to one database.
 *
 * I1 a connection is idle, in use or gone.   I2 nobody waits while a connection is idle or one more may be opened.
 * I3 a broken connection is never handed out.   I4 first come, first served.
 * I5 idle connections do not keep the process alive.   I6 at most `queueLimit` wait, and nobody is served whose time is over.
 */
export interface Pool {
  /** An idle connection, or undefined: then wait for one. */
  take(): Connection | undefined;
  /** @throws STORE_POOL_EXHAUSTED, STORE_UNAVAILABLE, STORE_CLOSED, or the context's reason */
  wait(ctx: Context): Promise<Connection>;
  release(connection: Connection): void;
  state(): PoolState;
  /** Refuses new work and resolves when all connections are closed; those in use are closed when they are released. */
  close(): Promise<void>;
}

/** @param open For tests. */
export function createPool(
  name: string,
  init: ConnectionInit & { runtime: Runtime; options: PoolOptions },
  open = openConnection,
): Pool {
  const { options, runtime } = init;
  const all = new Set<Connection>();
  const idle: Connection[] = [];
  const waiters = new Set<Waiter>();
  let opening = 0;
  let closed: PromiseWithResolvers<void> | undefined;

  const finishClose = (): void => {
    if (closed !== undefined && all.size === 0 && opening === 0) closed.resolve();
  };

  const onBroken = (connection: Connection): void => {
    all.delete(connection);
    const at = idle.indexOf(connection);
    if (at >= 0) idle.splice(at, 1);
    openMore();
    finishClose();
  };

  const retire = (connection: Connection): void => {
    connection.hold(true);
    const gone = (): void => {
      all.delete(connection);
      openMore();
      finishClose();
    };
    connection.end().then(gone, gone);
  };

  const firstWaiter = (): Waiter | undefined => {
    const [waiter] = waiters;
    if (waiter !== undefined) waiters.delete(waiter);
    return waiter;
  };

  /** A busy process hears of the end of a call late: what came free goes to somebody who can still use it. */
  const firstInTime = (): Waiter | undefined => {
    const nowMs = runtime.clock.monotonicMs();
    for (let waiter = firstWaiter(); waiter !== undefined; waiter = firstWaiter()) {
      if (nowMs < waiter.dueMs) return waiter;
      waiter.giveUp();
    }
    return undefined;
  };

  const give = (connection: Connection): void => {
    const waiter = closed === undefined ? firstInTime() : undefined;
    if (closed !== undefined) retire(connection);
    else if (waiter !== undefined) waiter.resolve(connection);
    else {
      connection.idleSinceMs = runtime.clock.monotonicMs();
      connection.hold(false);
      idle.push(connection);
    }
  };

  const openMore = (): void => {
    while (closed === undefined && opening < waiters.size && all.size + opening < options.poolSize) {
      opening++;
      open(init, onBroken).then(
        (connection) => {
          opening--;
          if (!connection.broken) {
            all.add(connection);
            give(connection);
          }
          finishClose();
        },
        (thrown: unknown) => {
          opening--;
          firstWaiter()?.reject(fromDriver(thrown, false));
          openMore();
          finishClose();
        },
      );
    }
  };

  const closeIdle = (): void => {
    const limit = runtime.clock.monotonicMs() - options.idleMs;
    // The longest idle stand first, as connections are taken from the end.
    while (idle[0] !== undefined && idle[0].idleSinceMs < limit) retire(idle.shift() as Connection);
  };

  const takeIdle = (): Connection | undefined => {
    if (waiters.size > 0) return undefined;
    const connection = idle.pop();
    connection?.hold(true);
    return connection;
  };

  const sweep = runtime.timers.every(options.idleMs, closeIdle);

  return {
    take: takeIdle,
    wait: (ctx) => {
      if (closed !== undefined) return Promise.reject(storeErrors.CLOSED({ service: name }));
      const ready = takeIdle();
      if (ready !== undefined) return Promise.resolve(ready);
      if (waiters.size >= options.queueLimit) return Promise.reject(storeErrors.POOL_EXHAUSTED({ database: name }));
      return new Promise((resolve, reject) => {
        const { signal } = ctx;
        const settle = (): void => {
          waiters.delete(waiter);
          timer.cancel();
          signal.removeEventListener('abort', onAbort);
        };
        const exhausted = (): void => waiter.reject(storeErrors.POOL_EXHAUSTED({ database: name }));
        const onAbort = (): void =>
          hasReason(signal.reason, 'SOUK_DEADLINE_EXCEEDED') ? exhausted() : waiter.reject(fromUnknown(signal.reason));
        const timer: Timer = runtime.timers.after(options.acquireMs, exhausted);
        const waiter: Waiter = {
          dueMs: runtime.clock.monotonicMs() + Math.min(options.acquireMs, ctx.remainingMs()),
          giveUp: exhausted,
          resolve: (connection) => {
            settle();
            resolve(connection);
          },
          reject: (error) => {
            settle();
            reject(error);
          },
        };
        if (signal.aborted) return onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        waiters.add(waiter);
        openMore();
      });
    },
    release: (connection) => {
      if (connection.broken) onBroken(connection);
      else give(connection);
    },
    state: () => ({ open: all.size, idle: idle.length, waiting: waiters.size }),
    close: () => {
      if (closed !== undefined) return closed.promise;
      closed = Promise.withResolvers<void>();
      sweep.cancel();
      for (let waiter = firstWaiter(); waiter !== undefined; waiter = firstWaiter()) {
        waiter.reject(storeErrors.CLOSED({ service: name }));
      }
      for (const connection of idle.splice(0)) retire(connection);
      finishClose();
      return closed.promise;
    },
  };
}
