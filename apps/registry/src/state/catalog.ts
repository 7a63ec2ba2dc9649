// What is known of nodes, instances and checks, as readers see it. Entries are never changed in place: a change puts a new one.

export type Status = 'passing' | 'warning' | 'critical';

/** A machine, or whatever else runs instances. The registry itself is one. */
export interface NodeEntry {
  /** UUID. */
  readonly id: string;
  readonly name: string;
  /** IP address or host name. */
  readonly address: string;
  readonly datacenter: string;
  /** `lan`, `wan` and the like. */
  readonly taggedAddresses: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  readonly createRev: number;
  readonly modifyRev: number;
}

/** One process that serves, on a node. `node` and `id` together are unique. */
export interface InstanceEntry {
  /** Name of its node. */
  readonly node: string;
  readonly id: string;
  /** Name of the service, as it was registered. Two names that differ in case only are one service. */
  readonly service: string;
  readonly kind: string;
  readonly tags: readonly string[];
  /** Empty: the address of the node. */
  readonly address: string;
  readonly port: number;
  readonly taggedAddresses: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
  readonly meta: Readonly<Record<string, string>>;
  /** By the worst status of its checks. */
  readonly weights: { readonly passing: number; readonly warning: number };
  readonly enableTagOverride: boolean;
  /** What only our own instances say; undefined for those that came through Consul's API. */
  readonly souk: SoukFacts | undefined;
  readonly createRev: number;
  readonly modifyRev: number;
}

/** What Consul's model of an instance has no place for. */
export interface SoukFacts {
  readonly protocol: string;
  readonly version: string;
  readonly zone: string;
  /** One run of the process. */
  readonly incarnation: string;
  /** As the instance says; what others see also depends on its lease. */
  readonly conditions: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  /** Without a heartbeat for so long it is taken for unhealthy, in milliseconds. */
  readonly ttlMs: number;
}

/** A check of an instance, or of a whole node. `node` and `id` together are unique. */
export interface CheckEntry {
  readonly node: string;
  readonly id: string;
  readonly name: string;
  readonly status: Status;
  readonly notes: string;
  readonly output: string;
  /** Empty: of the node, so of all its instances. */
  readonly serviceId: string;
  readonly serviceName: string;
  readonly serviceTags: readonly string[];
  /** `http`, `tcp`, `grpc`, `ttl`, `script`, `maintenance`, or empty when somebody else runs it. */
  readonly type: string;
  /** As given: `10s`, or empty. */
  readonly interval: string;
  readonly timeout: string;
  /** As Consul's API shows it. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly createRev: number;
  readonly modifyRev: number;
}

/** An instance with all that decides whether it takes work. */
export interface HealthEntry {
  readonly node: NodeEntry;
  readonly instance: InstanceEntry;
  /** Those of the node first, then its own. */
  readonly checks: readonly CheckEntry[];
  /** The worst of its checks; passing when there are none. */
  readonly status: Status;
}

/** What one change did: told at once, inside the change, to those who keep something that depends on it. */
export type CatalogChange =
  | { readonly kind: 'node'; readonly before: NodeEntry | undefined; readonly after: NodeEntry | undefined }
  | { readonly kind: 'instance'; readonly before: InstanceEntry | undefined; readonly after: InstanceEntry | undefined }
  | { readonly kind: 'check'; readonly before: CheckEntry | undefined; readonly after: CheckEntry | undefined };

/** Names of nodes and services are found whatever their case. */
export interface Catalog {
  /** Name of the node that is this registry. */
  readonly self: string;
  nodes(): Iterable<NodeEntry>;
  node(name: string): NodeEntry | undefined;
  /** Every service that has an instance, with the tags of all its instances, each once, sorted; sorted by name. */
  services(): Iterable<readonly [name: string, tags: readonly string[]]>;
  /** All instances of a service on all nodes, whatever their health, in the order of node and id. None: an empty list. */
  instancesOf(service: string): readonly HealthEntry[];
  /** All instances on a node. */
  instancesOn(node: string): Iterable<InstanceEntry>;
  instance(node: string, id: string): InstanceEntry | undefined;
  checks(): Iterable<CheckEntry>;
  /** Those of the node and of the instances on it. */
  checksOn(node: string): Iterable<CheckEntry>;
  check(node: string, id: string): CheckEntry | undefined;
  /**
   * Calls the listener inside of every change, with its revision, after the catalog has it. It may change its own state and touch resources
   * with that revision; it must not throw nor change the catalog. @returns what ends it
   */
  subscribe(listener: (change: CatalogChange, rev: number) => void): () => void;
}
