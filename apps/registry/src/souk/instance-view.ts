import { plainMeta, weightIn } from '../agent/souk-meta.ts';
import type { HealthEntry, SoukFacts } from '../state/catalog.ts';

/** An instance as `/souk/v1` shows it: with all three conditions, which Consul's one status cannot tell apart. */
export interface InstanceView {
  readonly id: string;
  readonly service: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly version: string;
  readonly zone: string;
  readonly weight: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  readonly incarnation: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** Why it is not ready; empty when it is. */
  readonly reason: string;
  readonly createRev: number;
  readonly modifyRev: number;
}

const UP = { ready: true, serving: true, terminating: false };
const DOWN = { ready: false, serving: false, terminating: false };
const RESTING = { ready: false, serving: true, terminating: false };

export function viewOf(entry: HealthEntry): InstanceView {
  const { instance, node, checks } = entry;
  const { souk } = instance;
  return {
    ...{ id: instance.id, service: instance.service, node: node.name },
    ...{ address: instance.address || node.address, port: instance.port },
    protocol: souk?.protocol ?? instance.meta.protocol ?? 'http',
    version: souk?.version ?? instance.meta.version ?? '',
    zone: souk?.zone ?? instance.meta.zone ?? '',
    weight: weightIn(instance.meta, entry.status === 'warning' ? instance.weights.warning : instance.weights.passing),
    ...{ tags: instance.tags, meta: plainMeta(instance.meta), incarnation: souk?.incarnation ?? '' },
    ...conditionsOf(entry),
    ...{
      createRev: instance.createRev,
      modifyRev: Math.max(instance.modifyRev, ...checks.map((one) => one.modifyRev)),
    },
  };
}

function conditionsOf({
  instance,
  checks,
}: HealthEntry): Pick<InstanceView, 'ready' | 'serving' | 'terminating' | 'reason'> {
  const own = instance.souk?.conditions;
  const failing = checks.filter((check) => check.status === 'critical');
  const resting = failing.filter(({ type }) => type === 'maintenance');
  // Its own check is also critical when the instance says so: then it is not broken, but not ready.
  const broken = failing.filter(({ type, output }) => type !== 'maintenance' && output !== SAID);
  if (broken.length > 0) {
    const reason = broken.map(({ id, output }) => (output === '' ? id : `${id}: ${output}`)).join('; ');
    return { ...DOWN, terminating: own?.terminating ?? false, reason };
  }
  if (own !== undefined && !own.ready) return { ...own, reason: own.terminating ? DRAINING : nameOf(own) };
  if (resting.length > 0) return { ...RESTING, reason: resting.map(({ notes }) => notes).join('; ') };
  return { ...UP, reason: '' };
}

const nameOf = ({ serving }: SoukFacts['conditions']): string => (serving ? MAINTENANCE : 'starting');

/** Notes of the check that tells Consul's clients that an instance takes no new work though it is well. */
export const DRAINING = 'draining';
export const MAINTENANCE = 'maintenance';

/** What the check of an instance says when the instance itself is not ready. */
export const SAID = 'the instance says that it is not ready';

export const heartbeatCheckId = (id: string): string => `service:${id}`;
