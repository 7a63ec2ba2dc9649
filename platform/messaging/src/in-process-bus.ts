import { type Context, fromUnknown, type Logger, type Runtime, silentLogger } from '@souk/kernel';
import type { ActiveSubscription, Bus, BusSubscription } from './bus.ts';
import type { Envelope } from './envelope.ts';
import { messagingErrors } from './errors.ts';
import { answer, createReplies, encodeRequest } from './request-reply.ts';

export interface InProcessBusOptions {
  readonly runtime: Runtime;
  readonly log?: Logger;
  /** Events that one subscription holds, running ones included; beyond it publishing is refused. @default 8192 */
  readonly capacity?: number;
}

const DEFAULT_CONCURRENCY = 32;
const FIRST_REDELIVERY_MS = 50;
const LONGEST_REDELIVERY_MS = 5000;

/**
 * The bus of a process that holds all its services. It remembers nothing: an event is acknowledged to its publisher when all
 * consumers are done with it, so after a crash the publisher's outbox delivers it again.
 */
export function createInProcessBus(options: InProcessBusOptions): Bus {
  const { runtime } = options;
  const receivers: Receiver[] = [];
  const responders = new Map<string, Responder[]>();
  const replies = createReplies(runtime);
  const bornMs = runtime.clock.monotonicMs();
  let closed = false;
  return {
    name: 'in-process',
    can: { pipelinesKeys: true, durable: false, crossProcess: false, requestReply: true, countsDeliveries: false },
    start: async () => {},
    publish: async (envelopes) => {
      const offers = receivers
        .map((receiver) => ({ receiver, wanted: envelopes.filter(({ type }) => receiver.hears(type)) }))
        .filter(({ wanted }) => wanted.length > 0);
      // All or nothing, before anything is taken: a refusal must not leave the first half of a key with some of its consumers.
      for (const { receiver, wanted } of offers) receiver.assertRoomFor(wanted.length);
      await Promise.all(offers.flatMap(({ receiver, wanted }) => wanted.map((envelope) => receiver.take(envelope))));
    },
    subscribe: (subscription) => {
      const receiver = new Receiver(subscription, options);
      receivers.push(receiver);
      return receiver;
    },
    request: (ctx, address, body) => {
      const here = responders.get(address) ?? [];
      const responder = here.find((one) => !one.paused);
      if (responder === undefined) return Promise.reject(messagingErrors.NO_RESPONDER({ address }));
      // The next request is for the next one.
      here.push(...here.splice(here.indexOf(responder), 1));
      const asked = encodeRequest(runtime, ctx, body);
      return ask(ctx, replies, () => responder.answer(asked));
    },
    respond: (address, handle) => {
      const responder = new Responder(runtime, handle, () => {
        responders.set(address, responders.get(address)?.filter((one) => one !== responder) ?? []);
      });
      responders.set(address, [...(responders.get(address) ?? []), responder]);
      return responder;
    },
    health: () => ({
      state: closed ? 'closed' : 'connected',
      sinceMs: runtime.clock.monotonicMs() - bornMs,
      lastError: undefined,
      lateReplies: replies.late,
    }),
    close: async () => {
      closed = true;
      await Promise.all([...receivers, ...[...responders.values()].flat()].map((one) => one.close()));
    },
  };
}

async function ask(
  ctx: Context,
  replies: ReturnType<typeof createReplies>,
  answered: () => Promise<Uint8Array | undefined>,
): Promise<Uint8Array> {
  const { id, reply } = replies.open(ctx);
  void answered().then((bytes) => {
    if (bytes !== undefined) replies.settle(id, bytes);
  });
  return reply;
}

class Responder implements ActiveSubscription {
  paused = false;
  readonly #runtime: Runtime;
  readonly #handle: (ctx: Context, body: Uint8Array) => Promise<Uint8Array>;
  readonly #onClose: () => void;
  readonly #running = new Set<Promise<unknown>>();

  constructor(runtime: Runtime, handle: (ctx: Context, body: Uint8Array) => Promise<Uint8Array>, onClose: () => void) {
    this.#runtime = runtime;
    this.#handle = handle;
    this.#onClose = onClose;
  }

  async answer(request: Uint8Array): Promise<Uint8Array | undefined> {
    // Never in the caller's own turn.
    await Promise.resolve();
    const work = answer(this.#runtime, request, this.#handle);
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  async close(): Promise<void> {
    this.#onClose();
    await Promise.all(this.#running);
  }
}

interface Entry {
  readonly envelope: Envelope;
  readonly done: PromiseWithResolvers<void>;
  deliveries: number;
}

/** Events of one key, or one that has no order. At most the first is being handled. */
interface Queue {
  readonly entries: Entry[];
  readonly key: string | undefined;
}

/** One subscription: `concurrency` events at a time, and one at a time of each key. */
class Receiver implements ActiveSubscription {
  readonly #subscription: BusSubscription;
  readonly #options: InProcessBusOptions;
  readonly #ordered: ReadonlyMap<string, boolean>;
  readonly #concurrency: number;
  readonly #byKey = new Map<string, Queue>();
  /** Queues whose first event could be handled now. */
  readonly #ready: Queue[] = [];
  readonly #idle = Promise.withResolvers<void>();
  readonly #closing = new AbortController();
  #size = 0;
  #running = 0;
  #paused = false;
  #woken = false;

  constructor(subscription: BusSubscription, options: InProcessBusOptions) {
    this.#subscription = subscription;
    this.#options = options;
    this.#ordered = new Map(subscription.types.map(({ type, ordered }) => [type, ordered]));
    this.#concurrency = subscription.concurrency ?? DEFAULT_CONCURRENCY;
  }

  hears(type: string): boolean {
    return this.#ordered.has(type);
  }

  /** @throws MESSAGING_BUS_FULL, MESSAGING_SUBSCRIPTION_CLOSED */
  assertRoomFor(count: number): void {
    if (this.#closing.signal.aborted) throw this.#closed();
    if (this.#size + count > (this.#options.capacity ?? 8192)) {
      throw messagingErrors.BUS_FULL({ subscription: this.#subscription.name }, { afterMs: 100 });
    }
  }

  take(envelope: Envelope): Promise<void> {
    // Consumers share no memory, as if each had read its own copy from the wire.
    const copy = { ...envelope, data: envelope.data.slice() };
    const entry = { envelope: copy, done: Promise.withResolvers<void>(), deliveries: 0 };
    this.#size++;
    const key = this.#ordered.get(envelope.type) ? `${envelope.source}#${envelope.key}` : undefined;
    const queue = key === undefined ? undefined : this.#byKey.get(key);
    if (queue !== undefined) queue.entries.push(entry);
    else {
      const made: Queue = { entries: [entry], key };
      if (key !== undefined) this.#byKey.set(key, made);
      this.#ready.push(made);
      this.#wake();
    }
    return entry.done.promise;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(this.#closed());
      for (const queue of this.#ready.splice(0)) this.#refuse(queue);
      if (this.#running === 0) this.#idle.resolve();
    }
    return this.#idle.promise;
  }

  /** Never in the publisher's own turn: a consumer is somewhere else. */
  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      while (!this.#paused && this.#running < this.#concurrency) {
        const queue = this.#ready.shift();
        if (queue === undefined) return;
        this.#running++;
        void this.#handleFirst(queue);
      }
    });
  }

  async #handleFirst(queue: Queue): Promise<void> {
    const entry = queue.entries[0] as Entry;
    let failed: unknown;
    try {
      entry.deliveries++;
      await this.#subscription.handle({ envelope: entry.envelope, delivery: entry.deliveries });
      this.#size--;
      queue.entries.shift();
      entry.done.resolve();
    } catch (thrown) {
      failed = fromUnknown(thrown);
    }
    this.#running--;
    if (this.#closing.signal.aborted) {
      this.#refuse(queue);
      if (this.#running === 0) this.#idle.resolve();
    } else if (failed !== undefined) this.#againLater(queue, entry, failed);
    else if (queue.entries.length > 0) this.#ready.push(queue);
    else if (queue.key !== undefined) this.#byKey.delete(queue.key);
    this.#wake();
  }

  /** Later events of the key wait for it; other keys have its place meanwhile. */
  #againLater(queue: Queue, entry: Entry, err: unknown): void {
    const { runtime, log = silentLogger } = this.#options;
    const ceilingMs = Math.min(LONGEST_REDELIVERY_MS, FIRST_REDELIVERY_MS * 2 ** Math.min(entry.deliveries - 1, 20));
    const delayMs = ceilingMs * (0.5 + runtime.random.next() / 2);
    const { name } = this.#subscription;
    log.warn('an event is delivered again', { consumer: name, type: entry.envelope.type, delayMs, err });
    const onAbort = (): void => {
      timer.cancel();
      this.#refuse(queue);
    };
    const timer = runtime.timers.after(delayMs, () => {
      this.#closing.signal.removeEventListener('abort', onAbort);
      this.#ready.push(queue);
      this.#wake();
    });
    this.#closing.signal.addEventListener('abort', onAbort, { once: true });
  }

  #refuse({ entries }: Queue): void {
    this.#size -= entries.length;
    for (const { done } of entries.splice(0)) done.reject(this.#closed());
  }

  #closed() {
    return messagingErrors.SUBSCRIPTION_CLOSED({ subscription: this.#subscription.name });
  }
}
