// Entries of the catalog as Consul's API shows them.

import type { CheckEntry, HealthEntry, InstanceEntry, NodeEntry } from '../state/catalog.ts';

type Shape = Readonly<Record<string, unknown>>;

/** A shape and its JSON: an entry that did not change is not encoded again. */
export interface Encoded {
  readonly shape: Shape;
  readonly json: string;
}

export const nodeShape = (node: NodeEntry): Shape => ({
  ID: node.id,
  Node: node.name,
  Address: node.address,
  Datacenter: node.datacenter,
  TaggedAddresses: node.taggedAddresses,
  Meta: node.meta,
  CreateIndex: node.createRev,
  ModifyIndex: node.modifyRev,
});

/** An instance without its node, as in `/health/service` and `/catalog/node`. */
export const serviceShape = (instance: InstanceEntry): Shape => ({
  ...common(instance),
  CreateIndex: instance.createRev,
  ModifyIndex: instance.modifyRev,
});

/** An instance as its agent shows it. */
export const agentServiceShape = (instance: InstanceEntry, datacenter: string): Shape => ({
  ...common(instance),
  Datacenter: datacenter,
});

const common = (instance: InstanceEntry): Shape => ({
  ...(instance.kind === '' ? {} : { Kind: instance.kind }),
  ID: instance.id,
  Service: instance.service,
  Tags: instance.tags,
  Meta: instance.meta,
  Port: instance.port,
  Address: instance.address,
  TaggedAddresses: taggedAddresses(instance),
  Weights: weights(instance),
  EnableTagOverride: instance.enableTagOverride,
});

/** An instance with its node, in one flat object. */
export const catalogServiceShape = (node: NodeEntry, instance: InstanceEntry): Shape => ({
  ID: node.id,
  Node: node.name,
  Address: node.address,
  Datacenter: node.datacenter,
  TaggedAddresses: node.taggedAddresses,
  NodeMeta: node.meta,
  ServiceKind: instance.kind,
  ServiceID: instance.id,
  ServiceName: instance.service,
  ServiceTags: instance.tags,
  ServiceAddress: instance.address,
  ServiceTaggedAddresses: taggedAddresses(instance),
  ServiceWeights: weights(instance),
  ServiceMeta: instance.meta,
  ServicePort: instance.port,
  ServiceEnableTagOverride: instance.enableTagOverride,
  CreateIndex: instance.createRev,
  ModifyIndex: instance.modifyRev,
});

export const checkShape = (check: CheckEntry): Shape => ({
  Node: check.node,
  CheckID: check.id,
  Name: check.name,
  Status: check.status,
  Notes: check.notes,
  Output: check.output,
  ServiceID: check.serviceId,
  ServiceName: check.serviceName,
  ServiceTags: check.serviceTags,
  Type: check.type,
  Interval: check.interval,
  Timeout: check.timeout,
  Definition: check.definition,
  CreateIndex: check.createRev,
  ModifyIndex: check.modifyRev,
});

const taggedAddresses = (instance: InstanceEntry): Shape =>
  Object.fromEntries(
    Object.entries(instance.taggedAddresses).map(([name, { address, port }]) => [
      name,
      { Address: address, Port: port },
    ]),
  );

const weights = ({ weights: { passing, warning } }: InstanceEntry): Shape => ({ Passing: passing, Warning: warning });

/** Encodes each entry once, for as long as somebody keeps the entry. */
function encoder<T extends object>(shapeOf: (entry: T) => Shape): (entry: T) => Encoded {
  const known = new WeakMap<T, Encoded>();
  return (entry) => {
    const kept = known.get(entry);
    if (kept !== undefined) return kept;
    const shape = shapeOf(entry);
    const made: Encoded = { shape, json: JSON.stringify(shape) };
    known.set(entry, made);
    return made;
  };
}

/** An element of `/health/service`. */
export const encodeHealth = encoder<HealthEntry>((entry) => ({
  Node: nodeShape(entry.node),
  Service: serviceShape(entry.instance),
  Checks: entry.checks.map(checkShape),
}));

/** An element of `/catalog/service`. */
export const encodeCatalogService = encoder<HealthEntry>(({ node, instance }) => catalogServiceShape(node, instance));

export const encodeCheck = encoder<CheckEntry>(checkShape);

export const encodeNode = encoder<NodeEntry>(nodeShape);
