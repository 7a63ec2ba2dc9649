import { isDeepStrictEqual } from 'node:util';
import type { Catalog, CatalogChange, CheckEntry, HealthEntry, InstanceEntry, NodeEntry } from './catalog.ts';
import type { Change, Persistent } from './commits.ts';
import type { Revisions } from './revisions.ts';
import { createServiceTable, type ServiceTable } from './service-table.ts';
import { worst } from './status.ts';

/** Something that is put, without what the catalog adds. */
export type Fresh<T> = Omit<T, 'createRev' | 'modifyRev'>;

/**
 * Nodes, instances and checks, and which resources each of their changes touches:
 *
 * | Resource | moves with |
 * |---|---|
 * | `service:<name>` | its instances, their checks, their nodes and the checks of those; gone with its last instance |
 * | `service-instances:<name>` | its instances and their nodes |
 * | `service-checks:<name>` | the checks of its instances |
 * | `instances` | every instance and every node |
 * | `catalog` | everything |
 * | `services` | names of services, and the sets of their tags |
 * | `nodes`, `node:<name>` | nodes; a node and its instances |
 * | `node-checks:<name>` | the checks on a node |
 * | `state:any`, `state:<status>` | every check; those that have, or had, the status |
 *
 * To put what is there already changes nothing, and no index moves.
 */
export interface CatalogStore extends Catalog {
  putNode(change: Change, node: Fresh<NodeEntry>): void;
  /** With all instances and checks on it. */
  deleteNode(change: Change, name: string): void;
  putInstance(change: Change, instance: Fresh<InstanceEntry>): void;
  /** With its checks. */
  deleteInstance(change: Change, node: string, id: string): void;
  putCheck(change: Change, check: Fresh<CheckEntry>): void;
  deleteCheck(change: Change, node: string, id: string): void;
  /** Takes over what a check wrote without telling anybody: no index moves, nothing is logged. */
  noteOutput(node: string, id: string, output: string): void;
  /** Tells everybody what `noteOutput` took over. */
  publishOutput(change: Change, node: string, id: string): void;
  healthOf(node: string, id: string): HealthEntry | undefined;
  checksOfInstance(node: string, id: string): Iterable<CheckEntry>;
  readonly instanceCount: number;
  readonly persistent: Persistent;
}

interface NodeRecord {
  entry: NodeEntry;
  readonly instances: Map<string, InstanceEntry>;
  readonly checks: Map<string, CheckEntry>;
  /** By instance; those of the node itself are under the empty id. */
  readonly checksOf: Map<string, Map<string, CheckEntry>>;
  /** Kept until something it is made of changes. */
  readonly health: Map<string, HealthEntry>;
}

type LogEntry =
  | readonly ['node', NodeEntry]
  | readonly ['instance', InstanceEntry]
  | readonly ['check', CheckEntry]
  | readonly ['no-node', string]
  | readonly ['no-instance' | 'no-check', string, string];

const NAME = 'catalog';
const NO_CHECKS: ReadonlyMap<string, CheckEntry> = new Map();

export function createCatalogStore(options: { readonly revisions: Revisions; readonly self: string }): CatalogStore {
  const { revisions, self } = options;
  const nodes = new Map<string, NodeRecord>();
  const table: ServiceTable = createServiceTable();
  const listeners = new Set<(change: CatalogChange, rev: number) => void>();
  let instanceCount = 0;

  const tell = (change: CatalogChange, rev: number): void => {
    revisions.touch('catalog', rev);
    for (const listener of listeners) listener(change, rev);
  };
  const recordOf = (name: string): NodeRecord | undefined => nodes.get(name.toLowerCase());

  const healthOf = (instance: InstanceEntry): HealthEntry => {
    const record = recordOf(instance.node) as NodeRecord;
    const kept = record.health.get(instance.id);
    if (kept !== undefined) return kept;
    const checks = [...(record.checksOf.get('') ?? NO_CHECKS).values()];
    checks.push(...(record.checksOf.get(instance.id) ?? NO_CHECKS).values());
    const made: HealthEntry = { node: record.entry, instance, checks, status: worst(checks) };
    record.health.set(instance.id, made);
    return made;
  };

  // What a change does to memory, with no index and no log: shared by changes and by their replay.

  const setNode = (entry: NodeEntry): void => {
    const record = recordOf(entry.name);
    if (record === undefined) {
      const empty = { instances: new Map(), checks: new Map(), checksOf: new Map(), health: new Map() };
      nodes.set(entry.name.toLowerCase(), { entry, ...empty });
      return;
    }
    record.entry = entry;
    record.health.clear();
  };

  const setInstance = (entry: InstanceEntry): void => {
    const record = recordOf(entry.node);
    if (record === undefined) return;
    const before = record.instances.get(entry.id);
    if (before === undefined) instanceCount += 1;
    record.instances.set(entry.id, entry);
    record.health.delete(entry.id);
    table.replace(before, entry);
  };

  const unsetInstance = (record: NodeRecord, id: string): void => {
    const before = record.instances.get(id);
    if (before === undefined) return;
    table.replace(before, undefined);
    instanceCount -= 1;
    record.instances.delete(id);
    record.health.delete(id);
  };

  const freshen = (record: NodeRecord, serviceId: string): void => {
    if (serviceId === '') record.health.clear();
    else record.health.delete(serviceId);
  };

  const unsetCheck = (record: NodeRecord, id: string): void => {
    const before = record.checks.get(id);
    if (before === undefined) return;
    record.checks.delete(id);
    const siblings = record.checksOf.get(before.serviceId);
    siblings?.delete(id);
    if (siblings?.size === 0) record.checksOf.delete(before.serviceId);
    freshen(record, before.serviceId);
  };

  const setCheck = (entry: CheckEntry): void => {
    const record = recordOf(entry.node);
    if (record === undefined) return;
    if (record.checks.get(entry.id)?.serviceId !== entry.serviceId) unsetCheck(record, entry.id);
    record.checks.set(entry.id, entry);
    const siblings = record.checksOf.get(entry.serviceId) ?? new Map<string, CheckEntry>();
    siblings.set(entry.id, entry);
    record.checksOf.set(entry.serviceId, siblings);
    freshen(record, entry.serviceId);
  };

  const apply = (entry: LogEntry): void => {
    if (entry[0] === 'node') setNode(entry[1]);
    else if (entry[0] === 'instance') setInstance(entry[1]);
    else if (entry[0] === 'check') setCheck(entry[1]);
    else if (entry[0] === 'no-node') nodes.delete(entry[1].toLowerCase());
    else {
      const record = recordOf(entry[1]);
      if (record === undefined) return;
      if (entry[0] === 'no-instance') unsetInstance(record, entry[2]);
      else unsetCheck(record, entry[2]);
    }
  };

  // Which resources a change touches.

  const touchService = (name: string, kinds: readonly string[], rev: number): void => {
    const key = name.toLowerCase();
    const there = table.has(key);
    for (const kind of kinds) {
      if (there) revisions.touch(`${kind}:${key}`, rev);
      else revisions.retire(`${kind}:${key}`, rev);
    }
  };

  const touchServicesOn = (record: NodeRecord, kinds: readonly string[], rev: number): void => {
    const names = new Set([...record.instances.values()].map(({ service }) => service.toLowerCase()));
    for (const name of names) touchService(name, kinds, rev);
  };

  const touchCheck = (record: NodeRecord, entry: CheckEntry, rev: number): void => {
    revisions.touch(`node-checks:${key(record)}`, rev);
    revisions.touch('state:any', rev);
    revisions.touch(`state:${entry.status}`, rev);
    if (entry.serviceId === '') {
      touchServicesOn(record, ['service'], rev);
      return;
    }
    // An instance that is gone was touched by its own going.
    const service = record.instances.get(entry.serviceId)?.service ?? entry.serviceName;
    if (service !== '') touchService(service, ['service', 'service-checks'], rev);
  };

  const commit = (change: Change, entry: LogEntry): void => {
    apply(entry);
    change.log(NAME, entry);
  };

  const deleteCheck = (change: Change, node: string, id: string): void => {
    const record = recordOf(node);
    const before = record?.checks.get(id);
    if (record === undefined || before === undefined) return;
    commit(change, ['no-check', node, id]);
    touchCheck(record, before, change.rev);
    tell({ kind: 'check', before, after: undefined }, change.rev);
  };

  const deleteInstance = (change: Change, node: string, id: string): void => {
    const record = recordOf(node);
    const before = record?.instances.get(id);
    if (record === undefined || before === undefined) return;
    for (const check of [...(record.checksOf.get(id) ?? NO_CHECKS).keys()]) deleteCheck(change, node, check);
    const tags = table.signatureOf(before.service);
    commit(change, ['no-instance', node, id]);
    touchService(before.service, EVERY_KIND, change.rev);
    if (table.signatureOf(before.service) !== tags) revisions.touch('services', change.rev);
    revisions.touch(`node:${key(record)}`, change.rev);
    revisions.touch('instances', change.rev);
    tell({ kind: 'instance', before, after: undefined }, change.rev);
  };

  return {
    self,
    get instanceCount() {
      return instanceCount;
    },
    nodes: () => [...nodes.values()].map(({ entry }) => entry),
    node: (name) => recordOf(name)?.entry,
    services: () => table.list(),
    instancesOf: (service) => table.membersOf(service).map(healthOf),
    instancesOn: (node) => recordOf(node)?.instances.values() ?? [],
    instance: (node, id) => recordOf(node)?.instances.get(id),
    checks: function* () {
      for (const { checks } of nodes.values()) yield* checks.values();
    },
    checksOn: (node) => recordOf(node)?.checks.values() ?? [],
    check: (node, id) => recordOf(node)?.checks.get(id),
    healthOf: (node, id) => {
      const instance = recordOf(node)?.instances.get(id);
      return instance && healthOf(instance);
    },
    checksOfInstance: (node, id) => (recordOf(node)?.checksOf.get(id) ?? NO_CHECKS).values(),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },

    putNode: (change, node) => {
      const before = recordOf(node.name)?.entry;
      const after = successor<NodeEntry>(before, node, change);
      if (after === undefined) return;
      commit(change, ['node', after]);
      revisions.touch('nodes', change.rev);
      revisions.touch('instances', change.rev);
      revisions.touch(`node:${node.name.toLowerCase()}`, change.rev);
      touchServicesOn(recordOf(node.name) as NodeRecord, ['service', 'service-instances'], change.rev);
      tell({ kind: 'node', before, after }, change.rev);
    },
    deleteNode: (change, name) => {
      const record = recordOf(name);
      if (record === undefined) return;
      for (const id of [...record.instances.keys()]) deleteInstance(change, name, id);
      for (const id of [...record.checks.keys()]) deleteCheck(change, name, id);
      commit(change, ['no-node', name]);
      revisions.touch('nodes', change.rev);
      revisions.retire(`node:${key(record)}`, change.rev);
      // Its checks, if there were any, have told those who watch them.
      revisions.retire(`node-checks:${key(record)}`, revisions.indexOf(`node-checks:${key(record)}`));
      tell({ kind: 'node', before: record.entry, after: undefined }, change.rev);
    },
    putInstance: (change, instance) => {
      const record = recordOf(instance.node);
      if (record === undefined) return;
      const before = record.instances.get(instance.id);
      const after = successor<InstanceEntry>(before, instance, change);
      if (after === undefined) return;
      const names = new Set([after.service, before?.service ?? after.service]);
      const tags = [...names].map((name) => table.signatureOf(name));
      commit(change, ['instance', after]);
      for (const name of names) touchService(name, EVERY_KIND, change.rev);
      if ([...names].some((name, at) => table.signatureOf(name) !== tags[at])) revisions.touch('services', change.rev);
      revisions.touch(`node:${key(record)}`, change.rev);
      revisions.touch('instances', change.rev);
      tell({ kind: 'instance', before, after }, change.rev);
    },
    deleteInstance,
    putCheck: (change, check) => {
      const record = recordOf(check.node);
      if (record === undefined) return;
      const before = record.checks.get(check.id);
      const after = successor<CheckEntry>(before, check, change);
      if (after === undefined) return;
      commit(change, ['check', after]);
      if (before !== undefined && (before.status !== after.status || before.serviceId !== after.serviceId)) {
        touchCheck(record, before, change.rev);
      }
      touchCheck(record, after, change.rev);
      tell({ kind: 'check', before, after }, change.rev);
    },
    deleteCheck,
    noteOutput: (node, id, output) => {
      const before = recordOf(node)?.checks.get(id);
      if (before !== undefined && before.output !== output) setCheck({ ...before, output });
    },
    publishOutput: (change, node, id) => {
      const record = recordOf(node);
      const before = record?.checks.get(id);
      if (record === undefined || before === undefined) return;
      const after = { ...before, modifyRev: change.rev };
      commit(change, ['check', after]);
      touchCheck(record, after, change.rev);
      tell({ kind: 'check', before, after }, change.rev);
    },
    persistent: {
      name: NAME,
      save: () => ({
        nodes: [...nodes.values()].map(({ entry }) => entry),
        instances: [...nodes.values()].flatMap(({ instances }) => [...instances.values()]),
        checks: [...nodes.values()].flatMap(({ checks }) => [...checks.values()]),
      }),
      load: (data) => {
        const saved = data as { nodes: NodeEntry[]; instances: InstanceEntry[]; checks: CheckEntry[] };
        for (const node of saved.nodes) setNode(node);
        for (const instance of saved.instances) setInstance(revived(instance));
        for (const check of saved.checks) setCheck(check);
      },
      replay: (entry) => {
        const [kind, what] = entry as LogEntry;
        if (kind === 'instance') setInstance(revived(what));
        else apply(entry as LogEntry);
      },
    },
  };
}

const EVERY_KIND = ['service', 'service-instances', 'service-checks'] as const;

const key = (record: NodeRecord): string => record.entry.name.toLowerCase();

/** What follows the entry; undefined when nothing would change. */
function successor<T extends { readonly createRev: number; readonly modifyRev: number }>(
  before: T | undefined,
  fresh: Fresh<T>,
  change: Change,
): T | undefined {
  if (before !== undefined) {
    const { createRev, modifyRev } = before;
    if (isDeepStrictEqual({ ...fresh, createRev, modifyRev }, before)) return undefined;
  }
  return { ...fresh, createRev: before?.createRev ?? change.rev, modifyRev: change.rev } as unknown as T;
}

/** JSON leaves out what is undefined, and then an instance that registers again would not be the same. */
const revived = (saved: InstanceEntry): InstanceEntry => ({ ...saved, souk: saved.souk });
