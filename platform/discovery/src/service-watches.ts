import { fromUnknown, type Logger } from '@souk/kernel';
import type { Instance } from './instance.ts';
import { sameInstances, sorted } from './instance-set.ts';
import type { Watch } from './registry.ts';

type Listener = (instances: readonly Instance[]) => void;

/** Who watches which service, and what they were told last: the half of `Registry.watch` that is the same for every driver. */
export interface ServiceWatches {
  /** Adds a listener. It is told what is known already, in a later turn. */
  add(service: string, listener: Listener): Watch;
  /** Tells the listeners of a service its set, unless it is the one they were told last. Nothing happens when nobody watches. */
  tell(service: string, instances: Iterable<Instance>): void;
  /** Services that somebody watches. */
  services(): readonly string[];
  /** Ends every watch. Nothing is told after this. */
  close(): void;
}

export interface ServiceWatchesInit {
  readonly log: Logger;
  /** The first listener of a service has come: begin to ask for it. */
  begin?(service: string): void;
  /** Its last listener has gone. */
  end?(service: string): void;
}

interface Watched {
  readonly listeners: Set<Listener>;
  last: readonly Instance[] | undefined;
}

/**
 * Listeners run outside of the turn in which something changed, and may add and close watches; one that throws is logged and harms no other.
 * I1 a listener is never told the same set twice in a row.  I2 after `close` of its watch it is told nothing.
 */
export function createServiceWatches({ log, begin, end }: ServiceWatchesInit): ServiceWatches {
  const watched = new Map<string, Watched>();
  let closed = false;

  const call = (service: string, listener: Listener, instances: readonly Instance[]): void => {
    try {
      listener(instances);
    } catch (thrown) {
      log.error('a listener of the registry failed', { service, err: fromUnknown(thrown) });
    }
  };

  return {
    add: (service, given) => {
      if (closed) return { close: () => {} };
      let told: readonly Instance[] | undefined;
      // Of its own, so that a function which is added twice counts as two.
      const listener: Listener = (instances) => {
        // A set that came and went before anybody was told of it leaves the one before.
        if (told !== undefined && sameInstances(told, instances)) return;
        told = instances;
        call(service, given, instances);
      };
      const existing = watched.get(service);
      const entry = existing ?? { listeners: new Set<Listener>(), last: undefined };
      entry.listeners.add(listener);
      if (existing === undefined) {
        watched.set(service, entry);
        begin?.(service);
      } else {
        queueMicrotask(() => {
          if (entry.last !== undefined && entry.listeners.has(listener)) listener(entry.last);
        });
      }
      return {
        close: () => {
          if (!entry.listeners.delete(listener) || entry.listeners.size > 0) return;
          watched.delete(service);
          end?.(service);
        },
      };
    },
    tell: (service, instances) => {
      const entry = watched.get(service);
      if (entry === undefined) return;
      const next = sorted(instances);
      entry.last = next;
      queueMicrotask(() => {
        // A later set is told by the microtask that came with it.
        if (entry.last !== next) return;
        for (const listener of [...entry.listeners]) if (entry.listeners.has(listener)) listener(next);
      });
    },
    services: () => [...watched.keys()],
    close: () => {
      closed = true;
      for (const [service, entry] of watched) {
        entry.listeners.clear();
        end?.(service);
      }
      watched.clear();
    },
  };
}
