import type { RegistryHealth } from '@souk/discovery';
import type { Logger, Runtime } from '@souk/kernel';

/** Whether the registry is in reach, by what all who talk to it say. */
export interface Link {
  /** It answered this one, and sensibly. */
  well(who: object): void;
  failed(who: object, why: string): void;
  /** This one talks to it no more. */
  left(who: object): void;
  /** It is there, but as if it were another one: it has forgotten. */
  renewed(): void;
  close(): void;
  health(): RegistryHealth;
}

export function createLink(runtime: Runtime, log: Logger, server: string): Link {
  const failing = new Map<object, string>();
  let state: RegistryHealth['state'] = 'connecting';
  let sinceMs = runtime.clock.monotonicMs();
  let lastError: string | undefined;

  const turn = (next: RegistryHealth['state']): void => {
    if (state === next || state === 'closed') return;
    state = next;
    sinceMs = runtime.clock.monotonicMs();
    if (next === 'connected') log.info('the registry answers', { server });
  };

  return {
    well: (who) => {
      failing.delete(who);
      if (failing.size > 0) return;
      lastError = undefined;
      turn('connected');
    },
    failed: (who, why) => {
      failing.set(who, why);
      if (state === 'closed') return;
      if (state === 'connected' || lastError === undefined)
        log.warn('no sensible answer from the registry', { server, why });
      lastError = why;
      turn('connecting');
    },
    left: (who) => void failing.delete(who),
    renewed: () => {
      if (state !== 'connected') return;
      sinceMs = runtime.clock.monotonicMs();
      log.warn('the registry has lost its memory', { server });
    },
    close: () => turn('closed'),
    health: () => ({ state, sinceMs: runtime.clock.monotonicMs() - sinceMs, lastError }),
  };
}
