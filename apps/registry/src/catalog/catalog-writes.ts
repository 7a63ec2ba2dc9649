import { parseInstance } from '../agent/service-definition.ts';
import { registryErrors } from '../errors.ts';
import { type Fields, parseFields } from '../http/fields.ts';
import type { CheckEntry, InstanceEntry, NodeEntry } from '../state/catalog.ts';
import type { CatalogStore, Fresh } from '../state/catalog-store.ts';
import type { Change } from '../state/commits.ts';
import { isStatus } from '../state/status.ts';

/** What somebody else looks after: its checks are kept as they are told, never run and never reaped. */
export interface Registration {
  readonly node: Omit<Fresh<NodeEntry>, 'id'> & { readonly id: string };
  /** Leave a node that is there as it is. */
  readonly skipNodeUpdate: boolean;
  readonly instance: Fresh<InstanceEntry> | undefined;
  readonly checks: readonly Fresh<CheckEntry>[];
}

export interface Deregistration {
  readonly node: string;
  /** Empty: not only that. */
  readonly serviceId: string;
  readonly checkId: string;
}

/** @throws REGISTRY_DECODE_FAILED, REGISTRY_MALFORMED, REGISTRY_NO_DATACENTER */
export function parseRegistration(body: Buffer, datacenter: string): Registration {
  const fields = parseFields(body);
  checkDatacenter(fields, datacenter);
  const name = fields.text('Node');
  const skipNodeUpdate = fields.flag('SkipNodeUpdate');
  const address = fields.text('Address');
  if (name === '' || (address === '' && !skipNodeUpdate)) {
    throw registryErrors.MALFORMED({ what: 'Must provide node and address' });
  }
  const service = fields.object('Service');
  const instance = service && parseInstance(service, name, 'Service');
  const single = fields.object('Check');
  const checks = [...(single === undefined ? [] : [single]), ...fields.objects('Checks')];
  return {
    node: {
      ...{ id: fields.text('ID'), name, address, datacenter },
      taggedAddresses: fields.textMap('TaggedAddresses'),
      meta: fields.textMap('NodeMeta'),
    },
    ...{ skipNodeUpdate, instance },
    checks: checks.map((check) => parseCheck(check, name)),
  };
}

function parseCheck(fields: Fields, node: string): Fresh<CheckEntry> {
  const name = fields.text('Name');
  const status = fields.text('Status') || 'critical';
  if (!isStatus(status)) throw registryErrors.MALFORMED({ what: `Invalid check status: '${status}'` });
  const id = fields.text('CheckID') || name;
  if (id === '') throw registryErrors.MALFORMED({ what: 'Must provide check id or name' });
  return {
    ...{ node, id, name, status, serviceName: '', serviceTags: [] },
    ...{ notes: fields.text('Notes'), output: fields.text('Output'), serviceId: fields.text('ServiceID') },
    ...{ type: fields.text('Type'), interval: '', timeout: '', definition: {} },
  };
}

/** @param newNodeId For a node that is new and came without an id. */
export function applyRegistration(
  catalog: CatalogStore,
  change: Change,
  { node, skipNodeUpdate, instance, checks }: Registration,
  newNodeId: string,
): void {
  const known = catalog.node(node.name);
  const serviceOf = (id: string) => (instance?.id === id ? instance : catalog.instance(node.name, id));
  const orphan = checks.find(({ serviceId }) => serviceId !== '' && serviceOf(serviceId) === undefined);
  if (orphan !== undefined) throw registryErrors.NO_SUCH_SERVICE({ id: orphan.serviceId });
  if (known === undefined || !(skipNodeUpdate || known.name === catalog.self)) {
    catalog.putNode(change, { ...node, id: node.id || known?.id || newNodeId });
  }
  if (instance !== undefined) catalog.putInstance(change, instance);
  for (const check of checks) {
    const service = check.serviceId === '' ? undefined : serviceOf(check.serviceId);
    catalog.putCheck(change, {
      ...check,
      serviceName: service?.service ?? '',
      serviceTags: service?.tags ?? [],
    });
  }
}

/** @throws REGISTRY_DECODE_FAILED, REGISTRY_MALFORMED, REGISTRY_NO_DATACENTER */
export function parseDeregistration(body: Buffer, datacenter: string): Deregistration {
  const fields = parseFields(body);
  checkDatacenter(fields, datacenter);
  const node = fields.text('Node');
  if (node === '') throw registryErrors.MALFORMED({ what: 'Must provide node' });
  return { node, serviceId: fields.text('ServiceID'), checkId: fields.text('CheckID') };
}

/** What is not there is gone already. The registry itself stays. */
export function applyDeregistration(
  catalog: CatalogStore,
  change: Change,
  { node, serviceId, checkId }: Deregistration,
): void {
  if (serviceId !== '') catalog.deleteInstance(change, node, serviceId);
  else if (checkId !== '') catalog.deleteCheck(change, node, checkId);
  else if (node.toLowerCase() !== catalog.self.toLowerCase()) catalog.deleteNode(change, node);
}

function checkDatacenter(fields: Fields, datacenter: string): void {
  const wanted = fields.text('Datacenter');
  if (wanted !== '' && wanted.toLowerCase() !== datacenter.toLowerCase()) throw registryErrors.NO_DATACENTER();
}
