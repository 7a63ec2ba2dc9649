import { type Conditions, type Instance, toInstance } from '@souk/discovery';
import type { AddressType } from './options.ts';

/** What is needed of an EndpointSlice (discovery.k8s.io/v1). */
export interface Slice {
  readonly name: string;
  /** Counts up over all objects; undefined when it is no number. Only used to tell which of two slices is the later. */
  readonly version: bigint | undefined;
  readonly addressType: string;
  readonly ports: readonly Port[];
  readonly endpoints: readonly Endpoint[];
  /** Of the Service, copied by Kubernetes: annotations first, then labels. */
  readonly facts: ReadonlyMap<string, string>;
  /** What made no sense and was left out. */
  readonly problems: readonly string[];
}

export interface Port {
  readonly name: string;
  readonly port: number;
  readonly isHttps: boolean;
}

export interface Endpoint {
  readonly address: string;
  readonly conditions: Conditions;
  readonly zone: string;
  readonly forZones: readonly string[];
  readonly node: string;
  /** The pod's, and empty for what is none. */
  readonly target: { readonly name: string; readonly uid: string };
}

const objectOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** @returns undefined for what has not even a name */
export function readSlice(value: unknown): Slice | undefined {
  const { metadata, addressType, ports, endpoints } = objectOf(value);
  const { name, resourceVersion, labels, annotations } = objectOf(metadata);
  if (typeof name !== 'string' || name === '') return undefined;
  const problems: string[] = [];
  const keep = <T>(read: T | string): T[] => {
    if (typeof read !== 'string') return [read];
    problems.push(read);
    return [];
  };
  const facts = Object.entries({ ...objectOf(labels), ...objectOf(annotations) });
  return {
    name,
    version: versionOf(resourceVersion),
    addressType: textOf(addressType),
    ports: listOf(ports).flatMap((one) => keep(readPort(one))),
    endpoints: listOf(endpoints).flatMap((one, index) => keep(readEndpoint(one, index))),
    facts: new Map(facts.filter((fact): fact is [string, string] => typeof fact[1] === 'string')),
    problems,
  };
}

const versionOf = (value: unknown): bigint | undefined =>
  typeof value === 'string' && /^\d{1,20}$/.test(value) ? BigInt(value) : undefined;

function readPort(value: unknown): Port | string {
  const { name, port, protocol, appProtocol } = objectOf(value);
  const called = textOf(name);
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535)
    return `port ${called} has no number`;
  if (protocol !== undefined && protocol !== null && protocol !== 'TCP') return `port ${called} is not TCP`;
  return { name: called, port: port as number, isHttps: appProtocol === 'https' || called === 'https' };
}

function readEndpoint(value: unknown, index: number): Endpoint | string {
  const { addresses, conditions, zone, hints, nodeName, targetRef } = objectOf(value);
  // More than the first one are not used by anybody, says its documentation.
  const address = textOf(listOf(addresses)[0]);
  if (!/^[^\s/@?#]{1,253}$/.test(address)) return `endpoint ${index} has no address`;
  const said = objectOf(conditions);
  for (const name of ['ready', 'serving', 'terminating']) {
    if (!['boolean', 'undefined'].includes(typeof (said[name] ?? undefined))) {
      return `endpoint ${index} has a condition ${name} that is neither true nor false`;
    }
  }
  // What is not said counts as ready, and serves as it is ready.
  const ready = (said.ready ?? true) === true;
  const terminating = said.terminating === true;
  // A Service that publishes addresses which are not ready says `ready` of all, also of those that end.
  const serving =
    said.serving === true || ((said.serving ?? undefined) === undefined && ready) || (ready && !terminating);
  const { name, uid } = objectOf(targetRef);
  return {
    address,
    conditions: { ready: ready && !terminating, serving, terminating },
    zone: textOf(zone),
    forZones: listOf(objectOf(hints).forZones)
      .map((one) => textOf(objectOf(one).name))
      .filter((one) => one !== ''),
    node: textOf(nodeName),
    target: { name: textOf(name), uid: textOf(uid) },
  };
}

export interface MergeInit {
  readonly service: string;
  readonly portName: string | undefined;
  readonly addressTypes: readonly AddressType[];
}

interface Candidate {
  readonly instance: Instance;
  readonly rank: number;
  readonly version: bigint | undefined;
}

/**
 * All slices of a service as one set. A pod is in several while it is moved from one to another, and has one address in each family: it is one instance, as
 * the slice that was written last says, of the preferred family.
 */
export function merge(slices: Iterable<Slice>, { service, portName, addressTypes }: MergeInit): Instance[] {
  const pods = new Map<string, Candidate>();
  const ids = new Map<string, Candidate>();
  for (const slice of slices) {
    const { addressType, ports, endpoints, version } = slice;
    const port = portName === undefined ? usual(ports) : ports.find(({ name }) => name === portName);
    const rank = (addressTypes as readonly string[]).indexOf(addressType);
    if (port === undefined || rank < 0) continue;
    for (const endpoint of endpoints) {
      const instance = describe(service, slice, port, endpoint);
      const candidate = { instance, rank, version };
      const pod = endpoint.target.uid || `${endpoint.address}:${port.port}`;
      if (isBetter(candidate, pods.get(pod))) pods.set(pod, candidate);
    }
  }
  // A pod of the same name that is younger: the one before it ends.
  for (const candidate of pods.values()) {
    if (isBetter(candidate, ids.get(candidate.instance.id))) ids.set(candidate.instance.id, candidate);
  }
  return [...ids.values()].map(({ instance }) => instance);
}

const usual = (ports: readonly Port[]): Port | undefined =>
  ports.find(({ name }) => name === 'http' || name === 'https') ?? ports[0];

function isBetter(one: Candidate, other: Candidate | undefined): boolean {
  if (other === undefined) return true;
  if (one.rank !== other.rank) return one.rank < other.rank;
  if (one.version !== undefined && other.version !== undefined && one.version !== other.version) {
    return one.version > other.version;
  }
  return other.instance.terminating && !one.instance.terminating;
}

function describe(service: string, { facts }: Slice, port: Port, endpoint: Endpoint): Instance {
  const { address, target, zone, node, forZones, conditions } = endpoint;
  const fact = (...names: string[]) => names.map((name) => facts.get(name)).find((found) => found !== undefined);
  const weight = Number(fact('souk/weight') ?? 1);
  const registration = {
    id: target.name || `${service}-${address}:${port.port}`,
    service,
    address,
    port: port.port,
    protocol: port.isHttps ? 'https' : 'http',
    version: fact('souk/version', 'app.kubernetes.io/version') ?? '',
    zone,
    weight: Number.isInteger(weight) && weight >= 0 && weight <= 65_535 ? weight : 1,
    tags: (fact('souk/tags') ?? '')
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
    meta: {
      ...(node === '' ? {} : { node }),
      ...(forZones.length === 0 ? {} : { 'for-zones': forZones.join(',') }),
    },
    incarnation: target.uid,
  } as const;
  return toInstance(registration, conditions);
}
