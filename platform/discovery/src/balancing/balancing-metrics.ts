import type { Metrics } from '@souk/telemetry';
import type { EjectionReason } from './member.ts';
import type { PickerView } from './view.ts';

/** Where a pick went other than it should have: no instance was healthy there, or none was left that had not been tried or was not full. */
export type Fallback =
  | 'canary_empty'
  | 'canary_used_up'
  | 'demanded_empty'
  | 'stable_empty'
  | 'metadata_empty'
  | 'tried_again';

export interface BalancingMetrics {
  fellBack(why: Fallback): void;
  ejected(why: EjectionReason): void;
}

/** @param view Read before each exposition; undefined when the picker is closed. */
export function createBalancingMetrics(
  metrics: Metrics,
  target: string,
  view: () => PickerView | undefined,
): BalancingMetrics {
  const picks = metrics.counter({
    name: 'souk_balancing_picks_total',
    help: 'Choices of an instance.',
    labels: ['target'],
  });
  const refusals = metrics.counter({
    name: 'souk_balancing_refusals_total',
    help: 'Calls for which no instance was there.',
    labels: ['target'],
  });
  const fallbacks = metrics.counter({
    name: 'souk_balancing_fallbacks_total',
    help: 'Calls that went elsewhere than they should have.',
    labels: ['target', 'why'],
  });
  const ejections = metrics.counter({
    name: 'souk_balancing_ejections_total',
    help: 'Instances left out for a while because of how they answered.',
    labels: ['target', 'why'],
  });
  const instances = metrics.gauge({
    name: 'souk_balancing_instances',
    help: 'Instances by what they can do for this caller.',
    labels: ['target', 'state'],
  });
  const panic = metrics.gauge({
    name: 'souk_balancing_panic',
    help: '1 while health is ignored because too few instances are healthy.',
    labels: ['target'],
  });
  const told = { picks: 0, refusals: 0 };
  const states = new Set<string>();

  metrics.onCollect(() => {
    const now = view();
    const counts = new Map<string, number>();
    for (const { state } of now?.instances ?? []) counts.set(state, (counts.get(state) ?? 0) + 1);
    for (const state of counts.keys()) states.add(state);
    for (const state of states) instances.set(counts.get(state) ?? 0, { target, state });
    if (now === undefined) return panic.set(0, { target });
    panic.set(now.panic ? 1 : 0, { target });
    picks.add(now.picks - told.picks, { target });
    refusals.add(now.refusals - told.refusals, { target });
    told.picks = now.picks;
    told.refusals = now.refusals;
  });

  return {
    fellBack: (why) => fallbacks.add(1, { target, why }),
    ejected: (why) => ejections.add(1, { target, why }),
  };
}
