import type { Instance } from '@souk/discovery';
import { fromUnknown, hasReason } from '@souk/kernel';
import type { Api, Query } from './api.ts';
import { kubernetesErrors } from './errors.ts';
import type { Health } from './health.ts';
import type { KubernetesSettings } from './options.ts';
import { pauseMs } from './pause.ts';
import { merge, readSlice, type Slice } from './slice.ts';

const PAGE = '500';
/** A watch that held so long begins the pauses anew. */
const STABLE_MS = 2000;
/** What the server asks for at most, when it says when to come back. */
const LONGEST_WAIT_MS = 30_000;

interface ListPage {
  readonly items?: unknown;
  readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: unknown };
}

/**
 * The slices of one service: listed, then watched from the list's version on, and from the last version that was seen when a watch ends.
 *
 * I1 nothing is told before a list is complete.
 * I2 after a version is refused or an event makes no sense, the next thing is a list.
 */
export class Feed {
  readonly #service: string;
  readonly #settings: KubernetesSettings;
  readonly #api: Api;
  readonly #health: Health;
  readonly #tell: (instances: Iterable<Instance>) => void;
  readonly #closing = new AbortController();
  readonly #slices = new Map<string, Slice>();
  readonly #selector: string;
  /** Undefined: a list is needed. */
  #version: string | undefined;

  constructor(
    service: string,
    settings: KubernetesSettings,
    api: Api,
    health: Health,
    tell: (instances: Iterable<Instance>) => void,
  ) {
    this.#service = service;
    this.#settings = settings;
    this.#api = api;
    this.#health = health;
    this.#tell = tell;
    const names = settings.servicesOf(service);
    this.#selector = `kubernetes.io/service-name${names.length === 1 ? `=${names[0]}` : ` in (${names.join(',')})`}`;
    void this.#run();
  }

  close(): void {
    this.#closing.abort();
    this.#health.forget(this.#service);
  }

  async #run(): Promise<void> {
    const { runtime } = this.#settings;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      const sinceMs = runtime.clock.monotonicMs();
      let waitMs = 0;
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch(this.#version as string);
      } catch (error) {
        if (signal.aborted) break;
        waitMs = this.#fail(error);
      }
      // Also a watch that ends as it should must not do so all the time.
      if (runtime.clock.monotonicMs() - sinceMs >= STABLE_MS) failures = 0;
      else waitMs = Math.max(waitMs, pauseMs(runtime, failures++));
      await runtime.timers.sleep(waitMs, signal).catch(() => {});
    }
  }

  /** @returns how long the server wants to be left alone, milliseconds */
  #fail(thrown: unknown): number {
    const error = fromUnknown(thrown);
    if (hasReason(error, 'KUBERNETES_EXPIRED')) {
      this.#settings.log.info('the version is not known any more, listing again', { service: this.#service });
      this.#version = undefined;
      return 0;
    }
    // A connection that broke says nothing against the version.
    if (!hasReason(error, 'KUBERNETES_UNREACHABLE')) this.#version = undefined;
    if (error.reason === 'SOUK_INTERNAL')
      this.#settings.log.error('a watch failed', { service: this.#service, err: error });
    this.#health.bad(this.#service, error.message);
    return error.retry.kind === 'later' ? Math.min(error.retry.afterMs ?? 0, LONGEST_WAIT_MS) : 0;
  }

  async #list(): Promise<void> {
    const found = new Map<string, Slice>();
    let next = '';
    let version = '';
    do {
      const query: Query = { labelSelector: this.#selector, limit: PAGE, ...(next === '' ? {} : { continue: next }) };
      const what = `the list of ${this.#service}`;
      const page = (await this.#api.get(what, query, this.#closing.signal)) as ListPage | null;
      const { metadata } = page ?? {};
      const items = page?.items ?? [];
      if (typeof metadata?.resourceVersion !== 'string' || !Array.isArray(items)) {
        throw kubernetesErrors.UNREADABLE({ what, why: 'it is no list of slices' });
      }
      for (const item of items) {
        const slice = this.#read(item);
        if (slice !== undefined) found.set(slice.name, slice);
      }
      version = metadata.resourceVersion;
      next = typeof metadata.continue === 'string' ? metadata.continue : '';
    } while (next !== '');
    this.#slices.clear();
    for (const [name, slice] of found) this.#slices.set(name, slice);
    this.#version = version;
    this.#health.good(this.#service);
    this.#announce();
  }

  async #watch(version: string): Promise<void> {
    const { runtime, watchMs, callMs } = this.#settings;
    const lastsMs = watchMs * (1 + 0.5 * runtime.random.next());
    const query = {
      labelSelector: this.#selector,
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      timeoutSeconds: String(Math.ceil(lastsMs / 1000)),
    };
    await this.#api.stream(`the watch of ${this.#service}`, {
      query,
      signal: this.#closing.signal,
      limitMs: lastsMs + callMs,
      onOpen: () => this.#health.good(this.#service),
      onLine: (line) => this.#apply(line),
    });
  }

  #apply(line: string): void {
    const what = `the watch of ${this.#service}`;
    let event: {
      type?: unknown;
      object?: { code?: unknown; message?: unknown; metadata?: { resourceVersion?: unknown } };
    };
    try {
      event = JSON.parse(line) ?? {};
    } catch (cause) {
      throw kubernetesErrors.UNREADABLE({ what, why: 'a line is no JSON' }, { cause });
    }
    const { type, object } = event;
    if (type === 'ERROR') {
      if (object?.code === 410) throw kubernetesErrors.EXPIRED({ version: this.#version ?? '' });
      const status = typeof object?.code === 'number' ? object.code : 0;
      throw kubernetesErrors.REFUSED({ what, status, why: String(object?.message ?? 'no reason given').slice(0, 300) });
    }
    const version = object?.metadata?.resourceVersion;
    if (typeof version !== 'string' || version === '') {
      throw kubernetesErrors.UNREADABLE({ what, why: 'an event without a version' });
    }
    if (type !== 'BOOKMARK') this.#change(String(type), object);
    this.#version = version;
  }

  #change(type: string, object: unknown): void {
    const slice = this.#read(object);
    if (slice === undefined) return;
    if (type === 'DELETED') this.#slices.delete(slice.name);
    else if (type === 'ADDED' || type === 'MODIFIED') this.#slices.set(slice.name, slice);
    else this.#settings.log.warn('an event of a kind that nobody knows', { service: this.#service, type });
    this.#announce();
  }

  #read(object: unknown): Slice | undefined {
    const slice = readSlice(object);
    const facts = { service: this.#service, slice: slice?.name };
    if (slice === undefined) this.#settings.log.warn('an object that is no slice is left out', facts);
    else if (slice.problems.length > 0) {
      this.#settings.log.warn('parts of a slice are left out', { ...facts, problems: slice.problems.slice(0, 10) });
    }
    return slice;
  }

  #announce(): void {
    if (this.#closing.signal.aborted) return;
    const { portName, addressTypes } = this.#settings;
    this.#tell(merge(this.#slices.values(), { service: this.#service, portName, addressTypes }));
  }
}
