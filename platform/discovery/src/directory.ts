import { type Context, fromUnknown, type Logger, type Runtime, raceAbort, type Timer } from '@souk/kernel';
import type { Metrics } from '@souk/telemetry';
import { createDirectoryMetrics } from './directory-metrics.ts';
import { discoveryErrors } from './errors.ts';
import type { Instance } from './instance.ts';
import { sameInstances } from './instance-set.ts';
import { MassExpiryGuard, type MassExpiryOptions, toMassExpirySettings } from './mass-expiry-guard.ts';
import { checkPositive } from './options.ts';
import type { Registry, RegistryHealth, ServiceView, Watch } from './registry.ts';
import { type CacheFiles, createViewCache } from './view-cache.ts';

/** Times in milliseconds. */
export interface DirectoryOptions {
  /** Stays open when the directory is closed. */
  readonly registry: Registry;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** Keeps what is known over restarts, for a start without a registry. A file of its own for each process. @default none */
  readonly cacheFile?: string;
  /** Where the cache is kept. @default the disk */
  readonly files?: CacheFiles;
  /** When what the registry says is not believed. */
  readonly massExpiry?: MassExpiryOptions;
  /** Longest wait of `whenKnown`. @default 5000 */
  readonly knownMs?: number;
  /** The cache is used when the registry has said nothing for so long. @default 1000 */
  readonly diskAfterMs?: number;
}

export interface DirectoryHealth {
  readonly registry: RegistryHealth & { readonly name: string };
  /** By service. `ready`: instances that take new work. `kept`: instances that are shown against the registry's word. */
  readonly services: Readonly<
    Record<
      string,
      {
        readonly source: ServiceView['source'];
        readonly instances: number;
        readonly ready: number;
        readonly kept: number;
      }
    >
  >;
  /** Set while nearly all instances have vanished and are kept. */
  readonly massExpiryForMs: number | undefined;
  /** Why the cache cannot be read or written; undefined when all is well or there is none. */
  readonly cacheError: string | undefined;
}

/** What clients look instances up in. A service is watched from when it is first asked for until the directory is closed. */
export interface Directory {
  /** What is known now; undefined when nothing is. Never waits. */
  view(service: string): ServiceView | undefined;
  /** Tells what is known, and each change of it, also of its source. The listener runs in a later turn. */
  onChange(service: string, listener: (view: ServiceView) => void): Watch;
  /**
   * Waits for the first word on a service: from the registry, also that there is no instance, or from the cache.
   *
   * @throws DISCOVERY_NOT_KNOWN_YET after `knownMs`; SOUK_CANCELED or SOUK_DEADLINE_EXCEEDED when the call is over before
   */
  whenKnown(ctx: Context, service: string): Promise<ServiceView>;
  health(): DirectoryHealth;
  /** Ends the watches and writes the cache. Nothing is told after this. */
  close(): Promise<void>;
}

interface Entry {
  view: ServiceView | undefined;
  /** False as long as all that is known comes from disk. */
  answered: boolean;
  readonly listeners: Set<(view: ServiceView) => void>;
  readonly first: PromiseWithResolvers<void>;
  watch: Watch | undefined;
  disk: Timer | undefined;
}

/** How soon the loss of the registry shows in the source of views. */
const LOOK_MS = 1000;
/** Two readings of when the connection came up differ by the time between them. */
const SAME_MS = 100;
/** Changes that come together are written together. */
const SAVE_MS = 1000;

/**
 * Keeps what a registry says of services, and goes on with it while the registry is away: calls never wait for a registry, and an outage of
 * it takes nobody out. Instances that vanish all at once are kept for a time: see {@link MassExpiryOptions}.
 *
 * @throws DISCOVERY_INVALID_OPTION
 */
export function createDirectory(options: DirectoryOptions): Directory {
  const { registry, runtime, log, knownMs = 5000, diskAfterMs = 1000 } = options;
  checkPositive({ knownMs, diskAfterMs });
  const entries = new Map<string, Entry>();
  const metrics = createDirectoryMetrics(options.metrics, registry.name, () => health());
  const guard = new MassExpiryGuard(toMassExpirySettings(options.massExpiry), runtime.clock, log, metrics.massExpiry);
  const cache =
    options.cacheFile === undefined
      ? undefined
      : createViewCache({ path: options.cacheFile, runtime, log, files: options.files });
  const onDisk = cache?.load();
  let closed = false;
  let connected = false;
  /** Monotonic time of the first connection, and of the last one after an outage. */
  let firstAtMs: number | undefined;
  let backAtMs: number | undefined;
  let expiry: { readonly atMs: number; readonly timer: Timer } | undefined;
  let saving: Timer | undefined;
  let writing: Promise<void> = Promise.resolve();

  const nowMs = () => runtime.clock.monotonicMs();

  const notice = (): void => {
    const { state, sinceMs, lastError } = registry.health();
    if (state === 'connected') {
      const atMs = nowMs() - sinceMs;
      firstAtMs ??= atMs;
      if (atMs > (backAtMs ?? firstAtMs) + SAME_MS) backAtMs = atMs;
    }
    if (connected === (state === 'connected')) return;
    connected = state === 'connected';
    if (connected && backAtMs !== undefined) log.info('the registry is back', { registry: registry.name });
    else if (!connected) {
      log.warn('the registry is out of reach: what it said last holds', { registry: registry.name, why: lastError });
    }
  };

  /**
   * For the first service that hears from a registry that is back, the outage may not be over yet: as long as another one has no answer, the
   * registry is not counted as connected.
   */
  const backForMs = (): number | undefined => {
    if (firstAtMs !== undefined && !connected) return 0;
    return backAtMs === undefined ? undefined : nowMs() - backAtMs;
  };

  const show = (service: string, entry: Entry, instances: readonly Instance[], source: ServiceView['source']): void => {
    const before = entry.view;
    if (before !== undefined && before.source === source && sameInstances(before.instances, instances)) return;
    const view: ServiceView = Object.freeze({ instances, source });
    entry.view = view;
    entry.first.resolve();
    metrics.changed(service);
    queueMicrotask(() => {
      // A later view is told by the microtask that came with it.
      if (entry.view !== view) return;
      for (const listener of [...entry.listeners]) if (entry.listeners.has(listener)) call(service, listener, view);
    });
  };

  const call = (service: string, listener: (view: ServiceView) => void, view: ServiceView): void => {
    try {
      listener(view);
    } catch (thrown) {
      log.error('a listener of the directory failed', { service, err: fromUnknown(thrown) });
    }
  };

  const refresh = (services: Iterable<string>): void => {
    for (const service of services) {
      const entry = entries.get(service);
      if (entry === undefined || !entry.answered) continue;
      const source = connected && guard.kept(service) === 0 ? 'registry' : 'kept';
      show(service, entry, guard.shown(service), source);
    }
    setExpiry();
  };

  const setExpiry = (): void => {
    const atMs = guard.nextMs;
    if (atMs === expiry?.atMs) return;
    expiry?.timer.cancel();
    expiry = undefined;
    if (atMs === undefined || closed) return;
    const timer = runtime.timers.after(atMs - nowMs(), () => {
      expiry = undefined;
      refresh(guard.expire());
    });
    expiry = { atMs, timer };
  };

  const hear = (service: string, entry: Entry, instances: readonly Instance[]): void => {
    if (closed) return;
    notice();
    entry.answered = true;
    entry.disk?.cancel();
    refresh(guard.say(service, instances, backForMs()));
    if (cache !== undefined) saving ??= runtime.timers.after(SAVE_MS, save);
  };

  const save = (): void => {
    saving = undefined;
    writing = writing.then(async () => {
      const services = new Map(await onDisk);
      for (const [service, { answered, view }] of entries) if (answered && view) services.set(service, view.instances);
      await cache?.save(services);
    });
  };

  const useDisk = async (service: string, entry: Entry): Promise<void> => {
    const instances = (await onDisk)?.get(service);
    if (instances === undefined || entry.answered || closed) return;
    log.warn('the registry has not answered: instances of an earlier run are used', {
      service,
      registry: registry.name,
      instances: instances.length,
      why: registry.health().lastError,
    });
    show(service, entry, instances, 'disk');
  };

  const entryOf = (service: string): Entry => {
    const existing = entries.get(service);
    if (existing !== undefined) return existing;
    const entry: Entry = {
      view: undefined,
      answered: false,
      listeners: new Set(),
      first: Promise.withResolvers(),
      watch: undefined,
      disk: undefined,
    };
    if (closed) {
      entry.first.resolve();
      return entry;
    }
    entries.set(service, entry);
    entry.watch = registry.watch(service, (instances) => hear(service, entry, instances));
    if (cache !== undefined) entry.disk = runtime.timers.after(diskAfterMs, () => void useDisk(service, entry));
    return entry;
  };

  const looking = runtime.timers.every(LOOK_MS, () => {
    const before = connected;
    notice();
    if (connected !== before) refresh(entries.keys());
  });

  const health = (): DirectoryHealth => ({
    registry: { name: registry.name, ...registry.health() },
    services: Object.fromEntries(
      [...entries].flatMap(([service, { view }]) => {
        if (view === undefined) return [];
        const ready = view.instances.filter((instance) => instance.ready).length;
        return [[service, { source: view.source, instances: view.instances.length, ready, kept: guard.kept(service) }]];
      }),
    ),
    massExpiryForMs: guard.onForMs,
    cacheError: cache?.lastError,
  });

  return {
    view: (service) => entryOf(service).view,
    onChange: (service, given) => {
      const entry = entryOf(service);
      let told: ServiceView | undefined;
      // Of its own, so that a function which is added twice counts as two.
      const listener = (view: ServiceView): void => {
        if (told === view) return;
        told = view;
        given(view);
      };
      entry.listeners.add(listener);
      queueMicrotask(() => {
        if (entry.view !== undefined && entry.listeners.has(listener)) call(service, listener, entry.view);
      });
      return { close: () => void entry.listeners.delete(listener) };
    },
    whenKnown: async (ctx, service) => {
      ctx.throwIfDone();
      const entry = entryOf(service);
      if (entry.view !== undefined) return entry.view;
      const tooLate = Promise.withResolvers<void>();
      const timer = runtime.timers.after(knownMs, tooLate.resolve);
      try {
        await raceAbort(Promise.race([entry.first.promise, tooLate.promise]), ctx.signal);
      } finally {
        timer.cancel();
      }
      if (entry.view !== undefined) return entry.view;
      const why = closed ? 'the directory is closed' : (registry.health().lastError ?? registry.health().state);
      throw discoveryErrors.NOT_KNOWN_YET({ service, registry: registry.name, waitedMs: knownMs, why });
    },
    health,
    close: async () => {
      if (closed) return writing;
      closed = true;
      looking.cancel();
      expiry?.timer.cancel();
      for (const entry of entries.values()) {
        entry.watch?.close();
        entry.disk?.cancel();
        entry.listeners.clear();
        entry.first.resolve();
      }
      if (saving !== undefined) {
        saving.cancel();
        save();
      }
      await writing;
    },
  };
}
