import type { Timer } from '@souk/kernel';
import type { AgentWorld, LocalAgent } from './local-agent.ts';

export interface ReaperOptions {
  /** An instance that is dead for so many milliseconds is removed, unless its check says otherwise. 0: it stays. */
  readonly deregisterAfterMs: number;
  /** How often it looks, in milliseconds. */
  readonly everyMs: number;
  /** Below this share of living instances nothing is removed, from 0 (never guarded) to 1. */
  readonly guardShare: number;
  /** Fewer than so many at once are removed whatever the share. */
  readonly guardFrom: number;
  readonly onRemoved: (count: number) => void;
}

export interface GuardView {
  /** True while removal is held back. */
  readonly active: boolean;
  /** Instances that are watched for life, and those of them that show it. */
  readonly expected: number;
  readonly living: number;
  /** Ids of instances that would have been removed. */
  readonly suspects: readonly string[];
  /** How often removal was held back since the start. */
  readonly times: number;
}

/**
 * Removes instances that are dead for long. When many die at once, it is rather the network, or the registry: then it removes none,
 * says so, and waits until enough are back or an operator decides.
 */
export interface Reaper {
  readonly guard: GuardView;
  /** Removes the suspects now. @returns their ids */
  forceRemove(): Promise<readonly string[]>;
  start(): void;
  stop(): void;
}

export function createReaper(world: AgentWorld, agent: LocalAgent, options: ReaperOptions): Reaper {
  const { runtime, log, commits, catalog, nodeName } = world;
  const { deregisterAfterMs, everyMs, guardShare, guardFrom, onRemoved } = options;
  /** By id of the check. */
  const criticalSinceMs = new Map<string, number>();
  let guard: GuardView = { active: false, expected: 0, living: 0, suspects: [], times: 0 };
  let timer: Timer | undefined;

  catalog.subscribe((change) => {
    if (change.kind !== 'check' || (change.after ?? change.before)?.node !== nodeName) return;
    const id = (change.after ?? change.before)?.id as string;
    if (change.after?.status !== 'critical') criticalSinceMs.delete(id);
    else if (change.before?.status !== 'critical') criticalSinceMs.set(id, runtime.clock.monotonicMs());
  });

  /** Who is watched, and which of them are dead for too long. */
  const survey = (): { readonly expected: number; readonly dead: ReadonlySet<string>; readonly due: Set<string> } => {
    const nowMs = runtime.clock.monotonicMs();
    const watched = new Set<string>();
    const dead = new Set<string>();
    const due = new Set<string>();
    for (const { id, serviceId } of agent.checks()) {
      const definition = agent.definition(id);
      const limitMs = definition?.deregisterAfterMs ?? deregisterAfterMs;
      if (serviceId === '' || definition === undefined || limitMs === 0) continue;
      watched.add(serviceId);
      const sinceMs = criticalSinceMs.get(id);
      if (sinceMs === undefined) continue;
      // A heartbeat that says "I am not well" is a sign of life, unless its owner asked to be removed for it.
      const alive = definition.ttlMs > 0 && agent.isLive(id);
      if (!alive) dead.add(serviceId);
      if (nowMs - sinceMs >= limitMs && (!alive || definition.deregisterAfterMs !== undefined)) due.add(serviceId);
    }
    return { expected: watched.size, dead, due };
  };

  const remove = async (ids: Iterable<string>): Promise<readonly string[]> => {
    const removed: string[] = [];
    await commits.run((change) => {
      for (const id of ids) {
        if (agent.service(id) === undefined) continue;
        agent.deregisterService(change, id);
        removed.push(id);
      }
    });
    onRemoved(removed.length);
    log.info('instances that were dead for long were removed', { count: removed.length, ids: removed.slice(0, 20) });
    return removed;
  };

  const look = async (): Promise<void> => {
    const { expected, dead, due } = survey();
    const living = expected - dead.size;
    const held = due.size >= guardFrom && living < expected * guardShare;
    if (held && !guard.active) {
      log.error('many instances died at once: none is removed until more are back or an operator forces it', {
        ...{ expected, living, suspects: due.size, force: 'PUT /souk/v1/guard/force-remove' },
      });
    }
    const times = guard.times + (held && !guard.active ? 1 : 0);
    guard = { active: held, expected, living, suspects: held ? [...due] : [], times };
    if (held || due.size === 0) return;
    await remove(due).catch((err) => log.warn('dead instances could not be removed', { err }));
  };

  return {
    get guard() {
      return guard;
    },
    forceRemove: async () => {
      const removed = await remove(survey().due);
      guard = { ...guard, active: false, suspects: [] };
      return removed;
    },
    start: () => {
      // After a restart everybody gets the full time again.
      for (const { id, status } of agent.checks()) {
        if (status === 'critical') criticalSinceMs.set(id, runtime.clock.monotonicMs());
      }
      timer = runtime.timers.every(everyMs, () => void look());
    },
    stop: () => timer?.cancel(),
  };
}
