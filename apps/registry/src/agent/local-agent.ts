import { type CheckDefinition, definitionShape } from '../checks/definition.ts';
import { createLeases } from '../checks/leases.ts';
import type { ProbeResult } from '../checks/probe-result.ts';
import { type CheckRunner, createCheckRunner } from '../checks/runner.ts';
import type { TargetGuard } from '../checks/target-guard.ts';
import { registryErrors } from '../errors.ts';
import { formatGoDuration } from '../http/go-duration.ts';
import type { World } from '../module.ts';
import type { CheckEntry, InstanceEntry, Status } from '../state/catalog.ts';
import type { CatalogStore, Fresh } from '../state/catalog-store.ts';
import type { Change, Persistent } from '../state/commits.ts';
import { createOutputs } from './outputs.ts';

export type AgentWorld = World & { readonly catalog: CatalogStore };

/** The instances that registered here, and the checks that are looked after here. All of them are on the registry's own node. */
export interface LocalAgent {
  /** @param replaceChecks Take out checks of the instance that are not named now. A check that stays keeps its status. */
  registerService(
    change: Change,
    instance: Fresh<InstanceEntry>,
    checks: readonly CheckDefinition[],
    replaceChecks: boolean,
  ): void;
  /** @throws REGISTRY_UNKNOWN_SERVICE_ID */
  deregisterService(change: Change, id: string): void;
  /** @throws REGISTRY_NO_SUCH_SERVICE */
  registerCheck(change: Change, definition: CheckDefinition): void;
  /** @throws REGISTRY_UNKNOWN_CHECK_ID */
  deregisterCheck(change: Change, id: string): void;
  /**
   * @param serviceId Undefined: the whole node.
   * @throws REGISTRY_UNKNOWN_SERVICE_ID
   */
  setMaintenance(change: Change, serviceId: string | undefined, enable: boolean, reason: string): void;
  /**
   * A heartbeat of a TTL check. Cheap unless the status changes.
   * @throws REGISTRY_UNKNOWN_CHECK_ID, REGISTRY_NO_TTL
   */
  push(checkId: string, status: Status, output: string): Promise<void>;
  services(): readonly InstanceEntry[];
  service(id: string): InstanceEntry | undefined;
  checks(): readonly CheckEntry[];
  definition(checkId: string): CheckDefinition | undefined;
  /** Whether a TTL check was heard of in time. */
  isLive(checkId: string): boolean;
  readonly probing: number;
  readonly leases: number;
  readonly persistent: Persistent;
  start(): void;
  stop(): void;
}

const NAME = 'agent';
const NODE_MAINTENANCE = '_node_maintenance';
/** The registry's own entries, which are not registered by anybody. */
export const OWN_SERVICE = 'consul';
export const OWN_CHECK = 'serfHealth';

export const maintenanceCheckId = (serviceId: string): string => `_service_maintenance:${serviceId}`;

export function createLocalAgent(
  world: AgentWorld,
  options: {
    readonly guard: TargetGuard;
    /** An output that changes alone is told to watchers after so many milliseconds: it is for people. */
    readonly outputDelayMs: number;
    readonly onProbe: (definition: CheckDefinition, result: ProbeResult) => void;
  },
): LocalAgent {
  const { runtime, log, commits, catalog, nodeName: node } = world;
  const definitions = new Map<string, CheckDefinition>();
  const outputs = createOutputs(world, options.outputDelayMs);

  const setStatus = (change: Change, id: string, status: Status, output: string): void => {
    const check = catalog.check(node, id);
    if (check !== undefined) catalog.putCheck(change, { ...stripped(check), status, output });
  };

  const onLapse = async (ids: readonly string[]): Promise<void> => {
    const change = (one: Change): void => {
      // Some may have been heard of while the change waited.
      for (const id of ids.filter((each) => !leases.isLive(each))) {
        const last = catalog.check(node, id)?.output ?? '';
        const follows = last === '' ? '' : ` (last output before timeout follows): ${last}`;
        setStatus(one, id, 'critical', `TTL expired${follows}`);
      }
    };
    await commits.run(change).catch((err) => log.warn('lapsed checks could not be marked', { err, count: ids.length }));
  };
  const leases = createLeases({
    runtime,
    onLapse: (ids) => void onLapse(ids),
    onLate: (lateMs) => log.warn('this process stood still; heartbeats get their full time again', { lateMs }),
  });

  const onResult = (definition: CheckDefinition, status: Status | undefined, result: ProbeResult): void => {
    options.onProbe(definition, result);
    const check = catalog.check(node, definition.id);
    if (check === undefined) return;
    if (status === undefined || status === check.status) {
      outputs.note(definition.id, result.output);
      return;
    }
    commits
      .run((change) => {
        if (definitions.get(definition.id) === definition) setStatus(change, definition.id, status, result.output);
      })
      .catch((err) => log.warn('the result of a check could not be kept', { err, check: definition.id }));
  };
  const runner: CheckRunner = createCheckRunner({ runtime, guard: options.guard, onResult });

  const arm = (definition: CheckDefinition): void => {
    const { id, ttlMs } = definition;
    if (ttlMs === 0) {
      leases.drop(id);
      runner.start(definition);
      return;
    }
    runner.stop(id);
    leases.arm(id, ttlMs);
  };

  const forget = (id: string): void => {
    definitions.delete(id);
    outputs.forget(id);
    leases.drop(id);
    runner.stop(id);
  };

  // A check may also go with its instance, or through the catalog.
  catalog.subscribe((change) => {
    if (change.kind === 'check' && change.after === undefined && change.before?.node === node) forget(change.before.id);
  });

  const putDefinition = (change: Change, definition: CheckDefinition): void => {
    const { id, serviceId } = definition;
    const before = catalog.check(node, id);
    const service = catalog.instance(node, serviceId);
    const same = JSON.stringify(definitions.get(id)) === JSON.stringify(definition);
    if (!same) {
      definitions.set(id, definition);
      change.log(NAME, definition);
    }
    catalog.putCheck(change, {
      ...{ node, id, name: definition.name, notes: definition.notes, serviceId },
      ...{ serviceName: service?.service ?? '', serviceTags: service?.tags ?? [] },
      status: before?.status ?? definition.status,
      output: before?.output ?? '',
      type: definition.target?.kind ?? 'ttl',
      interval: definition.target === undefined ? '' : formatGoDuration(definition.intervalMs),
      timeout: definition.target === undefined ? '' : formatGoDuration(definition.timeoutMs),
      definition: definitionShape(definition),
    });
    // Whoever registers again and again must not keep its probe from running.
    if (!same || definition.ttlMs > 0) arm(definition);
  };

  const requireService = (id: string): InstanceEntry => {
    const found = catalog.instance(node, id);
    if (found === undefined || id === OWN_SERVICE) throw registryErrors.UNKNOWN_SERVICE_ID({ id });
    return found;
  };
  const requireCheck = (id: string): CheckEntry => {
    const found = catalog.check(node, id);
    if (found === undefined || id === OWN_CHECK) throw registryErrors.UNKNOWN_CHECK_ID({ id });
    return found;
  };

  return {
    registerService: (change, instance, checks, replaceChecks) => {
      const named = new Set(checks.map(({ id }) => id));
      const others = [...catalog.checksOfInstance(node, instance.id)].filter(({ id }) => !named.has(id));
      catalog.putInstance(change, instance);
      for (const other of others) {
        const goes = replaceChecks && other.type !== 'maintenance';
        const renamed = { ...stripped(other), serviceName: instance.service, serviceTags: instance.tags };
        if (goes) catalog.deleteCheck(change, node, other.id);
        else catalog.putCheck(change, renamed);
      }
      for (const check of checks) putDefinition(change, check);
    },
    deregisterService: (change, id) => {
      requireService(id);
      catalog.deleteInstance(change, node, id);
    },
    registerCheck: (change, definition) => {
      const { serviceId } = definition;
      if (serviceId !== '' && catalog.instance(node, serviceId) === undefined) {
        throw registryErrors.NO_SUCH_SERVICE({ id: serviceId });
      }
      putDefinition(change, definition);
    },
    deregisterCheck: (change, id) => {
      requireCheck(id);
      catalog.deleteCheck(change, node, id);
    },
    setMaintenance: (change, serviceId, enable, reason) => {
      const service = serviceId === undefined ? undefined : requireService(serviceId);
      const id = service === undefined ? NODE_MAINTENANCE : maintenanceCheckId(service.id);
      if (!enable) {
        catalog.deleteCheck(change, node, id);
        return;
      }
      catalog.putCheck(change, {
        ...{ node, id, status: 'critical', output: '', type: 'maintenance', interval: '', timeout: '', definition: {} },
        name: `${service === undefined ? 'Node' : 'Service'} Maintenance Mode`,
        notes: reason || 'Maintenance, no reason given',
        ...{ serviceId: service?.id ?? '', serviceName: service?.service ?? '', serviceTags: service?.tags ?? [] },
      });
    },
    push: async (checkId, status, output) => {
      const check = requireCheck(checkId);
      if ((definitions.get(checkId)?.ttlMs ?? 0) === 0) throw registryErrors.NO_TTL({ id: checkId });
      leases.renew(checkId);
      if (check.status === status) {
        outputs.note(checkId, output);
        return;
      }
      await commits.run((change) => {
        requireCheck(checkId);
        setStatus(change, checkId, status, output);
      });
    },
    services: () => [...catalog.instancesOn(node)].filter(({ id }) => id !== OWN_SERVICE),
    service: (id) => (id === OWN_SERVICE ? undefined : catalog.instance(node, id)),
    checks: () => [...catalog.checksOn(node)].filter(({ id }) => id !== OWN_CHECK),
    definition: (id) => definitions.get(id),
    isLive: (id) => leases.isLive(id),
    get probing() {
      return runner.running;
    },
    get leases() {
      return leases.size;
    },
    persistent: {
      name: NAME,
      save: () => [...definitions.values()],
      load: (data) => {
        for (const definition of data as CheckDefinition[]) definitions.set(definition.id, definition);
      },
      replay: (entry) => {
        const definition = entry as CheckDefinition;
        definitions.set(definition.id, definition);
      },
    },
    start: () => {
      // Those that went with their check left no line of their own in the log.
      for (const [id, definition] of [...definitions]) {
        if (catalog.check(node, id) === undefined) forget(id);
        else arm(definition);
      }
      outputs.start();
    },
    stop: () => {
      leases.stop();
      runner.stopAll();
      outputs.stop();
    },
  };
}

function stripped({ createRev: _createRev, modifyRev: _modifyRev, ...check }: CheckEntry): Fresh<CheckEntry> {
  return check;
}
