import { type Conditions, DRAINING, type Registered, type Registration, type Registry, UP } from '@souk/discovery';
import { fromUnknown, type Logger, type Part, type Runtime } from '@souk/kernel';

export interface MembershipInit {
  readonly registry: Registry;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** What this process says of itself, an entry for each service; asked when it is ready to serve. */
  readonly registrations: () => readonly Registration[];
  /**
   * How long calls are still taken after the others were told that this process leaves, in milliseconds: longer than it takes until the last of
   * them has heard it.
   */
  readonly drainDelayMs: number;
  /** Told before the others are. */
  readonly onLeaving?: () => void;
}

/**
 * Two parts of a process around the one that takes traffic, so that nobody is sent to it too early or too late:
 *
 *   start: ... traffic -> `announced` (registers as up)
 *   stop:  `announced` (says that it leaves, waits) -> traffic (ends what is under way) -> `listed` (out of the registry) -> ...
 */
export interface Membership {
  /** Add it before the traffic. */
  readonly listed: Part;
  /** Add it behind the traffic. */
  readonly announced: Part;
}

export function createMembership(init: MembershipInit): Membership {
  const { registry, runtime, log, drainDelayMs } = init;
  let registered: readonly Registered[] = [];
  const tell = async (what: string, each: (one: Registered) => Promise<void>): Promise<void> => {
    const outcomes = await Promise.allSettled(registered.map(each));
    for (const outcome of outcomes) {
      // The registry finds out by itself when this process is gone.
      if (outcome.status === 'rejected') log.warn(what, { err: fromUnknown(outcome.reason) });
    }
  };
  const all = (conditions: Conditions) =>
    Promise.all(init.registrations().map((registration) => registry.register(registration, conditions)));
  return {
    listed: {
      name: 'place in the registry',
      stop: () => tell('an instance could not be taken out of the registry', (one) => one.deregister()),
    },
    announced: {
      name: 'announcement',
      start: async () => {
        registered = await all(UP);
      },
      stop: async () => {
        init.onLeaving?.();
        await tell('the registry could not be told that this process leaves', (one) => one.update(DRAINING));
        if (registered.length > 0) await runtime.timers.sleep(drainDelayMs);
      },
      stopTimeoutMs: drainDelayMs + 5000,
    },
  };
}
