import { type Context, fromUnknown } from '@souk/kernel';
import type { PostgresBusSettings } from './options.ts';

const CHANNEL = 'souk_bus';
const NOTIFY = '/* bus-notify */ SELECT pg_notify($1, $2)';
const LEASES = '*';
const COALESCE_MS = 5;
/** Slots in one notification; the server takes less than 8000 bytes. */
const MOST_SLOTS = 400;

export interface DoorbellHandlers {
  /** Something was put into a slot; of any, when notifications may have been missed. */
  onEvents(group: number | undefined, slot: number | undefined): void;
  /** A process came, went, or gave slots back. */
  onLeases(): void;
}

/**
 * Tells other processes that there is something for them. Hints only: looks every so often find what no notification came for. Always a
 * statement of its own, since commits that notify queue for one lock of the whole server.
 */
export class Doorbell {
  readonly #settings: PostgresBusSettings;
  readonly #context: () => Context;
  readonly #handlers: DoorbellHandlers;
  readonly #me: string;
  readonly #news = new Set<string>();
  #isDue = false;
  #toldMs = Number.NEGATIVE_INFINITY;
  #listening: Promise<{ close(): Promise<void> } | undefined> | undefined;
  #closed = false;

  constructor(settings: PostgresBusSettings, context: () => Context, handlers: DoorbellHandlers) {
    this.#settings = settings;
    this.#context = context;
    this.#handlers = handlers;
    this.#me = settings.runtime.ids.uuid();
  }

  /** Begins to listen, if that is not so. Never rejects. */
  async listen(): Promise<void> {
    if (this.#closed) return;
    this.#listening ??= this.#open();
    await this.#listening;
  }

  ringSlot(group: number, slot: number): void {
    this.#ring(`${group}:${slot}`);
  }

  ringLeases(): void {
    this.#ring(LEASES);
  }

  async close(): Promise<void> {
    if (this.#news.size > 0) await this.#send();
    this.#closed = true;
    await (await this.#listening)?.close();
  }

  #ring(what: string): void {
    this.#news.add(what);
    if (this.#isDue || this.#closed) return;
    this.#isDue = true;
    const { clock, timers } = this.#settings.runtime;
    const waitMs = this.#toldMs + COALESCE_MS - clock.monotonicMs();
    if (waitMs <= 0) queueMicrotask(() => void this.#send());
    else timers.after(waitMs, () => void this.#send());
  }

  async #send(): Promise<void> {
    const { db, runtime, log } = this.#settings;
    this.#isDue = false;
    this.#toldMs = runtime.clock.monotonicMs();
    const news = [...this.#news].slice(0, MOST_SLOTS);
    for (const one of news) this.#news.delete(one);
    if (news.length === 0 || this.#closed) return;
    try {
      using ctx = this.#context();
      await db.at(ctx).query(NOTIFY, [CHANNEL, `${this.#me} ${news.join(' ')}`]);
    } catch (thrown) {
      log.debug('other processes were not told of an event: they will look for it', { err: fromUnknown(thrown) });
    }
    for (const one of this.#news) this.#ring(one);
  }

  async #open(): Promise<{ close(): Promise<void> } | undefined> {
    const { db, log } = this.#settings;
    try {
      const opened = await db.listen(CHANNEL, {
        onNotify: (payload) => this.#heard(payload),
        onReconnect: () => this.#missed(),
      });
      this.#missed();
      return opened;
    } catch (thrown) {
      this.#listening = undefined;
      log.warn('cannot listen for events of other processes: they wait for the next look', {
        err: fromUnknown(thrown),
      });
      return undefined;
    }
  }

  #missed(): void {
    this.#handlers.onLeases();
    this.#handlers.onEvents(undefined, undefined);
  }

  #heard(payload: string): void {
    const [sender, ...news] = payload.split(' ');
    if (sender === this.#me) return;
    for (const one of news) {
      const [group, slot] = one.split(':').map(Number);
      if (one === LEASES) this.#handlers.onLeases();
      else this.#handlers.onEvents(group, slot);
    }
  }
}
