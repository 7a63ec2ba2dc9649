import type { Runtime, Timer } from '@souk/kernel';
import { discoveryErrors } from './errors.ts';
import type { Instance } from './instance.ts';
import { checkPositive } from './options.ts';

/** What the memory registries of one process share: the registry itself, if it were a process of its own. */
export interface MemoryHub {
  /** From now on it is out of reach: for all, or for one client, as when the client's process is stopped. */
  interrupt(client?: object): void;
  /** It is back, with all that it knew and has not expired. */
  resume(): void;
  /** It has been killed and is back at once, knowing nothing. */
  loseMemory(): void;
  /** For `createMemoryRegistry`. */
  link(client: object): MemoryLink;
}

/** One client's way to the hub. */
export interface MemoryLink {
  /** How often a registration has to be repeated; 0 when it is kept without that. */
  readonly heartbeatMs: number;
  /**
   * Puts an instance in, also over an older run of the same id.
   * @returns False when a younger run has taken the id over: nothing has happened.
   */
  put(instance: Instance): boolean;
  /** Takes out what this run of the id has put in. */
  remove(instance: Instance): void;
  instancesOf(service: string): Iterable<Instance>;
  /** Undefined when it is out of reach, else a number that is another one after it has been away. */
  session(): number | undefined;
  /** Calls `changed` after every change. */
  attach(changed: (service: string | undefined) => void): void;
  detach(): void;
}

export interface MemoryHubOptions {
  readonly runtime: Runtime;
  /** An instance that is not repeated for so long is taken out, milliseconds. 0: instances stay until they say good-bye. @default 0 */
  readonly ttlMs?: number;
}

interface Entry {
  readonly instance: Instance;
  readonly expiry: Timer | undefined;
}

/** @throws DISCOVERY_INVALID_OPTION */
export function createMemoryHub({ runtime, ttlMs = 0 }: MemoryHubOptions): MemoryHub {
  checkPositive({ ttlMs }, 0);
  const services = new Map<string, Map<string, Entry>>();
  const attached = new Map<object, (service: string | undefined) => void>();
  const cut = new Set<object>();
  let allCut = false;
  let sessions = 1;

  const changed = (service?: string): void => {
    for (const tell of [...attached.values()]) tell(service);
  };
  const drop = (service: string, id: string): void => {
    const entries = services.get(service);
    entries?.get(id)?.expiry?.cancel();
    entries?.delete(id);
    if (entries?.size === 0) services.delete(service);
    changed(service);
  };
  const reachable = (client: object): boolean => !allCut && !cut.has(client);
  const demand = (client: object): void => {
    if (!reachable(client)) throw discoveryErrors.OUT_OF_REACH({ registry: 'memory', why: 'it is interrupted' });
  };

  const link = (client: object): MemoryLink => ({
    heartbeatMs: ttlMs / 3,
    put: (instance) => {
      demand(client);
      const { service, id } = instance;
      const entries = services.get(service) ?? new Map<string, Entry>();
      services.set(service, entries);
      const held = entries.get(id);
      if (held !== undefined && held.instance.incarnation > instance.incarnation) return false;
      held?.expiry?.cancel();
      const expiry = ttlMs > 0 ? runtime.timers.after(ttlMs, () => drop(service, id)) : undefined;
      entries.set(id, { instance, expiry });
      changed(service);
      return true;
    },
    remove: ({ service, id, incarnation }) => {
      demand(client);
      if (services.get(service)?.get(id)?.instance.incarnation === incarnation) drop(service, id);
    },
    instancesOf: (service) => {
      demand(client);
      return [...(services.get(service)?.values() ?? [])].map(({ instance }) => instance);
    },
    session: () => (reachable(client) ? sessions : undefined),
    attach: (tell) => void attached.set(client, tell),
    detach: () => void attached.delete(client),
  });

  return {
    link,
    interrupt: (client) => {
      if (client === undefined) allCut = true;
      else cut.add(client);
      changed();
    },
    resume: () => {
      allCut = false;
      cut.clear();
      sessions++;
      changed();
    },
    loseMemory: () => {
      for (const entries of services.values()) for (const { expiry } of entries.values()) expiry?.cancel();
      services.clear();
      sessions++;
      changed();
    },
  };
}
