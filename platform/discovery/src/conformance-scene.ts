import assert from 'node:assert/strict';
import type { Runtime } from '@souk/kernel';
import { type Conditions, type Instance, type Registration, UP } from './instance.ts';
import type { Registered, Registry, Watch } from './registry.ts';

/** What some drivers cannot do. */
export interface RegistryCapabilities {
  /** What one registry registers, others see. False for a driver whose registrations stay in their process. */
  readonly crossProcess: boolean;
  /** `register` puts instances in. False where somebody else does, and `register` only accepts them. */
  readonly registers: boolean;
}

/** A registry under test, and the faults that can be made to happen to it. */
export interface RegistryWorld {
  readonly runtime: Runtime;
  readonly can: RegistryCapabilities;
  /** A new client of the same registry, as another process would have. */
  registry(): Registry;
  /** Lets waits pass: moves a virtual clock on, or sleeps. Milliseconds. */
  pass(ms: number): Promise<void>;
  /** Ends a client as `kill -9` would: nothing of it reaches the registry any more. It is closed at the end of the case. */
  kill?(registry: Registry): Promise<void>;
  /** Takes the registry out of reach of all, so that they notice. Resolves at once. */
  interrupt?(): Promise<void>;
  /** Brings it back into reach, with what it knew. */
  restore?(): Promise<void>;
  /** Restarts it knowing nothing. Resolves when it takes requests. */
  loseMemory?(): Promise<void>;
  close?(): Promise<void>;
}

export type Fault = 'kill' | 'interrupt' | 'restore' | 'loseMemory';

export interface RegistryCase {
  readonly needs?: readonly (keyof RegistryCapabilities)[];
  readonly faults?: readonly Fault[];
  run(scene: Scene): Promise<void>;
}

/** Everything that one watch was told. */
export interface Seen {
  readonly told: readonly (readonly Instance[])[];
  readonly last: readonly Instance[] | undefined;
  find(id: string): Instance | undefined;
  readonly watch: Watch;
}

export interface Scene {
  readonly world: RegistryWorld;
  /** The client that all cases have. */
  readonly registry: Registry;
  /** Another process; the same client when registrations stay in theirs. */
  other(): Registry;
  /** A name that no other case uses. */
  readonly service: string;
  registration(id: string, more?: Partial<Registration>): Registration;
  register(registry: Registry, id: string, conditions?: Conditions, more?: Partial<Registration>): Promise<Registered>;
  watch(registry: Registry, service?: string): Seen;
  /** Waits for `work`, letting time pass. */
  done<T>(work: Promise<T>): Promise<T>;
  until(what: string, condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

const STEP_MS = 10;
/** Steps that anything may take: 40 s, beyond the expiry of every driver in its tests. */
const PATIENCE = 4000;

export function createScene(world: RegistryWorld): Scene {
  const { runtime } = world;
  const registry = world.registry();
  const registries = new Set([registry]);
  const service = `svc-${runtime.ids.uuid().slice(-12)}`;

  const until: Scene['until'] = async (what, condition) => {
    for (let tries = 0; !condition(); tries++) {
      assert.ok(tries < PATIENCE, `never came: ${what}`);
      await world.pass(STEP_MS);
    }
  };
  const done: Scene['done'] = async (work) => {
    let open = true;
    const settled = work.finally(() => {
      open = false;
    });
    settled.catch(() => {});
    await until('the end of a call', () => !open);
    return settled;
  };
  const registration: Scene['registration'] = (id, more = {}) => ({
    id: `${service}-${id}`,
    service,
    address: '127.0.0.1',
    port: 8080,
    protocol: 'http',
    version: '1.0.0',
    zone: '',
    weight: 1,
    tags: [],
    meta: {},
    incarnation: runtime.ids.uuid(),
    ...more,
  });

  return {
    world,
    registry,
    service,
    registration,
    until,
    done,
    other: () => {
      if (!world.can.crossProcess) return registry;
      const other = world.registry();
      registries.add(other);
      return other;
    },
    register: (at, id, conditions = UP, more = {}) => done(at.register(registration(id, more), conditions)),
    watch: (at, watched = service) => {
      const told: (readonly Instance[])[] = [];
      const watch = at.watch(watched, (instances) => told.push(instances));
      return {
        told,
        watch,
        get last() {
          return told.at(-1);
        },
        find: (id) => told.at(-1)?.find((instance) => instance.id === `${service}-${id}`),
      };
    },
    close: async () => {
      try {
        await done(Promise.all([...registries].map((one) => one.close())));
      } finally {
        await world.close?.();
      }
    },
  };
}

/** Conditions alone, for comparisons. */
export const conditionsOf = (instance: Instance | undefined): Conditions | undefined =>
  instance && { ready: instance.ready, serving: instance.serving, terminating: instance.terminating };

/** Nobody would send it anything. */
export const isOut = (instance: Instance | undefined): boolean =>
  instance === undefined || (!instance.ready && !instance.serving);
