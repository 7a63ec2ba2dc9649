import { fromUnknown, type Logger, type Runtime, rootContext, type Timer } from '@souk/kernel';
import type { Database } from '@souk/store';
import { findVersions } from '../store/order-view.ts';

/** Tells those who follow an order that it has changed, whichever process changed it. */
export interface OrderFeed {
  /** To be called after the commit of every change that this process makes. */
  changed(orderId: string, version: number): void;
  /** Orders that somebody follows now. */
  readonly followed: number;
  /** Begins to follow: what changes from now on is not missed. Dispose of it. */
  follow(orderId: string): Followed;
}

export interface Followed extends Disposable {
  /**
   * Resolves when the order has a version beyond this one.
   * @throws the signal's reason when it aborts first
   */
  beyond(version: number, signal: AbortSignal): Promise<void>;
}

/** Gap between looks at the database, for changes that another process committed: one look for all orders that are followed. */
const LOOK_EVERY_MS = 500;
const LOOK_MS = 5000;

interface Follower {
  /** The highest version heard of. */
  version: number;
  wake: () => void;
}

export function createOrderFeed(init: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
}): OrderFeed {
  const { db, runtime, log } = init;
  const followers = new Map<string, Set<Follower>>();
  let looking: Timer | undefined;
  let busy = false;

  const changed = (orderId: string, version: number): void => {
    for (const follower of followers.get(orderId) ?? []) {
      if (version <= follower.version) continue;
      follower.version = version;
      follower.wake();
    }
  };

  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      using ctx = rootContext({ runtime, log, timeoutMs: LOOK_MS });
      for (const { id, version } of await findVersions(db.at(ctx), [...followers.keys()])) changed(id, version);
    } catch (thrown) {
      log.warn('changes of orders by other processes cannot be seen now', { err: fromUnknown(thrown) });
    } finally {
      busy = false;
    }
  };

  return {
    changed,
    get followed() {
      return followers.size;
    },
    follow: (orderId) => {
      const follower: Follower = { version: 0, wake: () => {} };
      const all = followers.get(orderId) ?? new Set();
      followers.set(orderId, all.add(follower));
      looking ??= runtime.timers.every(LOOK_EVERY_MS, () => void look());
      return {
        beyond: async (version, signal) => {
          while (follower.version <= version) {
            signal.throwIfAborted();
            const { promise, resolve } = Promise.withResolvers<void>();
            follower.wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
            await promise;
          }
        },
        [Symbol.dispose]: () => {
          all.delete(follower);
          if (all.size === 0) followers.delete(orderId);
          if (followers.size > 0) return;
          looking?.cancel();
          looking = undefined;
        },
      };
    },
  };
}
