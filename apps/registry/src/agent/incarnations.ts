import { registryErrors } from '../errors.ts';
import type { SoukFacts } from '../state/catalog.ts';
import type { AgentWorld, LocalAgent } from './local-agent.ts';

/** Tells one run of a process from the next under the same id, so that a run that is over does not speak for the one that lives. */
export interface Incarnations {
  /** @throws REGISTRY_STALE_INCARNATION for a run that another has replaced */
  check(id: string, incarnation: string): void;
  /**
   * Takes what an instance says of itself, inside the change that keeps it.
   *
   * @param again It was taken before, and we have forgotten it. Of two runs that come back so the later one stays, whichever is first: names
   *   of runs sort by when they began. A run that registers for the first time is the latest, also when its clock has gone back.
   * @throws REGISTRY_STALE_INCARNATION, REGISTRY_DRAINING_IS_FINAL
   */
  accept(id: string, souk: SoukFacts, again: boolean): void;
}

/** Runs that are over and remembered, for each id. */
const PAST_RUNS = 8;

export function createIncarnations({ catalog, nodeName }: AgentWorld, agent: LocalAgent): Incarnations {
  const past = new Map<string, readonly string[]>();
  catalog.subscribe((change) => {
    if (change.kind !== 'instance' || change.after !== undefined || change.before?.node !== nodeName) return;
    past.delete(change.before.id);
  });

  const check = (id: string, incarnation: string): void => {
    if (past.get(id)?.includes(incarnation)) throw registryErrors.STALE_INCARNATION({ id });
  };
  return {
    check,
    accept: (id, souk, again) => {
      check(id, souk.incarnation);
      const before = agent.service(id)?.souk;
      if (before === undefined) return;
      if (again && before.incarnation > souk.incarnation) throw registryErrors.STALE_INCARNATION({ id });
      if (before.incarnation !== souk.incarnation) {
        past.set(id, [before.incarnation, ...(past.get(id) ?? [])].slice(0, PAST_RUNS));
      } else if (before.conditions.terminating && !souk.conditions.terminating) {
        throw registryErrors.DRAINING_IS_FINAL({ id });
      }
    },
  };
}
