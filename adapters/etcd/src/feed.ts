import type { Instance } from '@souk/discovery';
import type { IKeyValue, IWatchResponse } from 'etcd3';
import type { Attempt, Connection } from './connection.ts';
import { etcdErrors } from './errors.ts';
import type { EtcdSettings } from './options.ts';
import { pauseMs } from './pause.ts';
import { servicePrefix, toInstance } from './wire.ts';

/** A connection that is followed so long begins the pauses anew. */
const STABLE_MS = 2000;

/**
 * What etcd holds of one service: listed at a revision, watched from the next one on, listed again after whatever ends the watch. The
 * library's own watcher is not used: it resumes behind the revision it was connected at, so that what happened before and was not yet
 * delivered is lost when the connection breaks again; and a server that came back without its data has lower revisions than those
 * it would wait for.
 *
 * I1 what is told is the content of etcd at one revision, and revisions do not go back but by a list.
 */
export class Feed {
  readonly #service: string;
  readonly #settings: EtcdSettings;
  readonly #connection: Connection;
  readonly #tell: (instances: Iterable<Instance>) => void;
  readonly #closing = new AbortController();
  readonly #instances = new Map<string, Instance>();

  constructor(
    service: string,
    settings: EtcdSettings,
    connection: Connection,
    tell: (instances: Iterable<Instance>) => void,
  ) {
    this.#service = service;
    this.#settings = settings;
    this.#connection = connection;
    this.#tell = tell;
    void this.#run();
  }

  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { runtime } = this.#settings;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures++) {
      const sinceMs = runtime.clock.monotonicMs();
      await this.#follow();
      if (runtime.clock.monotonicMs() - sinceMs >= STABLE_MS) failures = 0;
      await runtime.timers.sleep(pauseMs(runtime, failures), signal).catch(() => {});
    }
  }

  /** Resolves when the watch has ended, whatever ended it. */
  async #follow(): Promise<void> {
    let attempt: Attempt | undefined;
    try {
      attempt = this.#connection.current();
      const revision = await this.#list(attempt);
      this.#connection.succeeded(attempt);
      await this.#watch(attempt, revision);
    } catch (error) {
      // What a client that was given up says, or one that is closed, has no news.
      if (attempt !== undefined && !attempt.signal.aborted) this.#connection.failed(attempt, error);
    }
  }

  async #list({ client }: Attempt): Promise<bigint> {
    const { kvs, header } = await client.kv.range(this.#range(), this.#connection.deadline());
    this.#instances.clear();
    for (const kv of kvs) this.#put(kv);
    if (!this.#closing.signal.aborted) this.#tell(this.#instances.values());
    return BigInt(header.revision);
  }

  /** Resolves when the server or we end it, rejects when the connection is no good. */
  async #watch({ watcher, host, signal }: Attempt, revision: bigint): Promise<void> {
    const { runtime, callMs, log } = this.#settings;
    const stream = await watcher.watchClient.watch();
    const ended = Promise.withResolvers<void>();
    const what = `the watch of ${this.#service}`;
    const answered = runtime.timers.after(callMs, () => {
      ended.reject(etcdErrors.NO_ANSWER({ host, what, ms: callMs }));
    });
    const stop = () => ended.resolve();
    for (const one of [signal, this.#closing.signal]) one.addEventListener('abort', stop, { once: true });
    try {
      stream
        .on('error', (error) => ended.reject(error))
        .on('end', () =>
          ended.reject(etcdErrors.STREAM_ENDED({ host, service: this.#service, why: 'no reason given' })),
        )
        .on('data', (response) => {
          if (this.#closing.signal.aborted) return;
          answered.cancel();
          if (response.canceled) {
            const { cancel_reason: why, compact_revision: compacted } = response;
            log.info('the watch was ended, listing again', { service: this.#service, why, compacted });
            ended.resolve();
          } else {
            this.#apply(response);
          }
        });
      const start_revision = String(revision + 1n);
      stream.write({ create_request: { ...this.#range(), start_revision, progress_notify: true } });
      if (signal.aborted || this.#closing.signal.aborted) stop();
      await ended.promise;
    } finally {
      answered.cancel();
      for (const one of [signal, this.#closing.signal]) one.removeEventListener('abort', stop);
      stream.cancel();
    }
  }

  #apply({ events }: IWatchResponse): void {
    if (events.length === 0) return;
    for (const { type, kv } of events) {
      if (type === 'Delete') this.#instances.delete(kv.key.toString());
      else this.#put(kv);
    }
    this.#tell(this.#instances.values());
  }

  /** A value that is nonsense is as good as none. */
  #put({ key: bytes, value }: IKeyValue): void {
    const key = bytes.toString();
    const read = toInstance(this.#settings.prefix, key, value.toString());
    if ('nonsense' in read) {
      this.#instances.delete(key);
      this.#settings.log.warn('what is under a key is no instance and is left out', { key, why: read.nonsense });
    } else {
      this.#instances.set(key, read);
    }
  }

  #range(): { key: Buffer; range_end: Buffer } {
    const prefix = servicePrefix(this.#settings.prefix, this.#service);
    // `0` follows `/` in ASCII: all keys that begin with the prefix, and no others.
    return { key: Buffer.from(prefix), range_end: Buffer.from(`${prefix.slice(0, -1)}0`) };
  }
}
