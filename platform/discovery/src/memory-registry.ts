import { type Logger, type Runtime, silentLogger, type Timer } from '@souk/kernel';
import { discoveryErrors } from './errors.ts';
import type { Instance } from './instance.ts';
import { toInstance } from './instance-set.ts';
import { createMemoryHub, type MemoryHub, type MemoryLink } from './memory-hub.ts';
import { checkConditions, checkRegistration } from './registration-rules.ts';
import type { Registered, Registry, RegistryHealth } from './registry.ts';
import { createServiceWatches } from './service-watches.ts';

export interface MemoryRegistryOptions {
  readonly runtime: Runtime;
  /** What it shares with others: one client each, as processes have. @default one of its own, whose instances do not expire */
  readonly hub?: MemoryHub;
  readonly log?: Logger;
}

/** How long `register` and `update` wait for a registry that is out of reach. */
const PATIENCE_MS = 5000;

/** An instance of this client, as it should be in the registry. */
interface Own {
  instance: Instance;
  state: 'wanted' | 'kept' | 'superseded' | 'gone';
  /** Called when the registry has it, or never will. */
  readonly waiting: Set<() => void>;
}

/**
 * A registry within a process: for the topology of one process, tests and simulations. With a hub that expires instances, clients repeat
 * their registrations every third of its time, and behave as those of a registry over the network when the hub is interrupted.
 */
export function createMemoryRegistry({ runtime, hub, log = silentLogger }: MemoryRegistryOptions): Registry {
  const own = new Set<Own>();
  const watches = createServiceWatches({ log, begin: (service) => refresh(service) });
  let sinceMs = runtime.clock.monotonicMs();
  let session: number | undefined;
  let closed = false;
  let heartbeat: Timer | undefined;

  const refresh = (service: string): void => {
    if (link.session() !== undefined) watches.tell(service, link.instancesOf(service));
  };

  const put = (one: Own): void => {
    if (link.session() === undefined || one.state === 'superseded' || one.state === 'gone') return;
    one.state = link.put(one.instance) ? 'kept' : 'superseded';
    if (one.state === 'superseded') {
      log.warn('another run of this instance has taken its place', {
        id: one.instance.id,
        service: one.instance.service,
      });
    }
    for (const done of one.waiting) done();
  };

  /** Watches learn at once that the registry is back; what is registered is repeated by the heartbeat, as over a network. */
  const onChange = (service: string | undefined): void => {
    const current = link.session();
    if (current !== session) {
      session = current;
      sinceMs = runtime.clock.monotonicMs();
      if (link.heartbeatMs === 0) for (const one of [...own]) put(one);
    }
    for (const watched of service === undefined ? watches.services() : [service]) refresh(watched);
  };

  const registry: Registry = {
    name: 'memory',
    register: async (registration, conditions) => {
      if (closed) throw discoveryErrors.CLOSED({ registry: 'memory' });
      checkRegistration(registration, conditions);
      const one: Own = { instance: toInstance(registration, conditions), state: 'wanted', waiting: new Set() };
      own.add(one);
      await settled(one);
      if (one.state === 'superseded') {
        own.delete(one);
        const { id, service } = registration;
        throw discoveryErrors.REGISTRATION_REFUSED({ id, service, why: 'a later run of it is registered' });
      }
      return registeredFor(one);
    },
    watch: (service, listener) => watches.add(service, listener),
    health: (): RegistryHealth => ({
      state: closed ? 'closed' : session === undefined ? 'connecting' : 'connected',
      sinceMs: runtime.clock.monotonicMs() - sinceMs,
      lastError: closed || session !== undefined ? undefined : 'it is interrupted',
    }),
    close: async () => {
      if (closed) return;
      closed = true;
      sinceMs = runtime.clock.monotonicMs();
      heartbeat?.cancel();
      watches.close();
      for (const one of [...own]) takeOut(one);
      link.detach();
    },
  };

  /** Resolves when the registry has it, or it is out of reach for too long. */
  const settled = async (one: Own): Promise<void> => {
    one.state = 'wanted';
    put(one);
    if (one.state !== 'wanted') return;
    const { promise, resolve } = Promise.withResolvers<void>();
    one.waiting.add(resolve);
    const timer = runtime.timers.after(PATIENCE_MS, resolve);
    await promise;
    timer.cancel();
    one.waiting.delete(resolve);
  };

  const takeOut = (one: Own): void => {
    own.delete(one);
    if (link.session() !== undefined && one.state !== 'superseded') link.remove(one.instance);
    one.state = 'gone';
    for (const done of one.waiting) done();
  };

  const registeredFor = (one: Own): Registered => ({
    update: async (conditions) => {
      if (one.state === 'superseded' || one.state === 'gone') return;
      checkConditions(one.instance, conditions);
      one.instance = toInstance(one.instance, conditions);
      await settled(one);
    },
    deregister: async () => {
      if (one.state !== 'gone') takeOut(one);
    },
  });

  const link: MemoryLink = (hub ?? createMemoryHub({ runtime })).link(registry);
  session = link.session();
  link.attach(onChange);
  if (link.heartbeatMs > 0) {
    heartbeat = runtime.timers.every(link.heartbeatMs, () => {
      for (const one of [...own]) put(one);
    });
  }
  return registry;
}
