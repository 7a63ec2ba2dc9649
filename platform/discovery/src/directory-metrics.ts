import type { Metrics } from '@souk/telemetry';
import type { DirectoryHealth } from './directory.ts';

/** What a directory measures. */
export interface DirectoryMetrics {
  changed(service: string): void;
  massExpiry(): void;
}

/** @param health Read before each exposition. */
export function createDirectoryMetrics(
  metrics: Metrics | undefined,
  registry: string,
  health: () => DirectoryHealth,
): DirectoryMetrics {
  if (metrics === undefined) return { changed: () => {}, massExpiry: () => {} };
  const instances = metrics.gauge({
    name: 'souk_discovery_instances',
    help: 'Instances that are known, by whether they take new work.',
    labels: ['target', 'state'],
  });
  const connected = metrics.gauge({
    name: 'souk_discovery_registry_connected',
    help: '1 while the registry is in reach, 0 while what it said last is used.',
    labels: ['registry'],
  });
  const kept = metrics.gauge({
    name: 'souk_discovery_kept_instances',
    help: 'Instances that vanished from the registry and are still used, since it is not believed.',
  });
  const changes = metrics.counter({
    name: 'souk_discovery_changes_total',
    help: 'Changes of what is known of a service.',
    labels: ['target'],
  });
  const massExpiries = metrics.counter({
    name: 'souk_discovery_mass_expiry_total',
    help: 'Times that nearly all instances vanished from the registry at once.',
  });
  metrics.onCollect(() => {
    const now = health();
    connected.set(now.registry.state === 'connected' ? 1 : 0, { registry });
    let sum = 0;
    for (const [service, found] of Object.entries(now.services)) {
      instances.set(found.ready, { target: service, state: 'ready' });
      instances.set(found.instances - found.ready, { target: service, state: 'not_ready' });
      sum += found.kept;
    }
    kept.set(sum, {});
  });
  return {
    changed: (service) => changes.add(1, { target: service }),
    massExpiry: () => massExpiries.add(1, {}),
  };
}
