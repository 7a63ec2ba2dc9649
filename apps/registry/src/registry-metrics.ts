import type { Metrics } from '@souk/telemetry';
import type { CatalogStore } from './state/catalog-store.ts';
import type { Revisions } from './state/revisions.ts';
import { worst } from './state/status.ts';

/** What the registry counts. */
export interface RegistryMetrics {
  onAnswer(path: string, status: number): void;
  onProbe(kind: string, status: string): void;
  onRemoved(count: number): void;
  /** Numbers of now, for `/v1/agent/metrics` in JSON. */
  gauges(): Readonly<Record<string, number>>;
}

export function createRegistryMetrics(
  metrics: Metrics,
  read: {
    readonly catalog: CatalogStore;
    readonly revisions: Revisions;
    readonly leases: () => number;
    readonly probing: () => number;
    readonly suspects: () => number;
  },
): RegistryMetrics {
  const { catalog, revisions, leases, probing, suspects } = read;
  const requests = metrics.counter({
    name: 'souk_registry_requests_total',
    help: 'Requests that were answered.',
    labels: ['path', 'status'],
  });
  const probes = metrics.counter({
    name: 'souk_registry_checks_total',
    help: 'Probes that were made, by what they found.',
    labels: ['kind', 'result'],
  });
  const removed = metrics.counter({
    name: 'souk_registry_removed_total',
    help: 'Instances that were removed because they were dead for long.',
  });
  const gauge = (name: string, help: string) => metrics.gauge({ name: `souk_registry_${name}`, help });
  const instances = metrics.gauge({
    name: 'souk_registry_instances',
    help: 'Instances by status.',
    labels: ['status'],
  });
  const single = {
    waiters: gauge('waiters', 'Reads that wait for a change.'),
    revision: gauge('revision', 'The newest revision.'),
    leases: gauge('leases', 'Instances and checks that send heartbeats.'),
    probed: gauge('probed_checks', 'Checks that the registry probes.'),
    suspects: gauge('guard_suspects', 'Instances that the guard keeps from being removed.'),
  };

  const byStatus = (): Record<string, number> => {
    const counts = { passing: 0, warning: 0, critical: 0 };
    for (const [name] of catalog.services()) {
      for (const { checks } of catalog.instancesOf(name)) counts[worst(checks)] += 1;
    }
    return counts;
  };
  const gauges = (): Record<keyof typeof single, number> => ({
    ...{ waiters: revisions.waiters, revision: revisions.current, leases: leases() },
    ...{ probed: probing(), suspects: suspects() },
  });

  metrics.onCollect(() => {
    for (const [status, count] of Object.entries(byStatus())) instances.set(count, { status });
    const now = gauges();
    for (const [name, one] of Object.entries(single)) one.set(now[name as keyof typeof single], {});
  });
  return {
    onAnswer: (path, status) => requests.add(1, { path, status: String(status) }),
    onProbe: (kind, result) => probes.add(1, { kind, result }),
    onRemoved: (count) => removed.add(count, {}),
    gauges: () => ({ ...gauges(), ...byStatus() }),
  };
}
