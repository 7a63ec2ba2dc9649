import type { Consumer, ConsumerMessages, JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { fromUnknown, type Logger, type Timer } from '@souk/kernel';
import type { ActiveSubscription, BusSubscription, Envelope } from '@souk/messaging';
import { natsErrors } from './errors.ts';
import type { NatsBusSettings } from './options.ts';
import { type ConsumerWish, ensureConsumer, groupConsumers, typesOf } from './stream.ts';
import { toEnvelope } from './wire.ts';

const DEFAULT_CONCURRENCY = 32;
const FIRST_REDELIVERY_MS = 50;
const LONGEST_REDELIVERY_MS = 5000;
/** Taken and not wanted: a pause has begun meanwhile. */
const GIVE_BACK_MS = 50;
/** How old what we know of the group's types may be. A process that hears more waits so long before it says that it listens. */
const INTEREST_MS = 1000;
/** A type that another process of the group is said to hear, and that nobody takes, is handled here after so many tries. */
const FOREIGN_TRIES = 20;

export interface Attachment {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** This connection is no good any more. */
  fail(error: unknown): void;
}

interface Running {
  /** The last delivery: what acknowledges it now. */
  message: JsMsg;
  readonly ordered: boolean;
}

/**
 * One subscription, over as many connections as it takes.
 *
 * I1 an event is acknowledged after its handler resolved, never before.
 * I2 of a partition one event is under way at a time: `max_ack_pending` is 1, and what is delivered again while it still runs here is
 *    joined to the run, not started anew.
 * I3 an event that runs here is spoken for every third of `ackWaitMs`, so nobody else is given it.
 */
export class Listener implements ActiveSubscription {
  readonly #subscription: BusSubscription;
  readonly #settings: NatsBusSettings;
  readonly #log: Logger;
  readonly #onClose: () => void;
  readonly #types: ReadonlyMap<string, boolean>;
  readonly #wishes: readonly ConsumerWish[];
  readonly #running = new Map<string, Running>();
  /** Waiting for a place; they are few, since the server hands out no more than was asked for. */
  readonly #waiting: (() => void)[] = [];
  readonly #idle = Promise.withResolvers<void>();
  readonly #speaking: Timer;
  #attachment: Attachment | undefined;
  #consumers: { readonly consumer: Consumer; readonly wish: ConsumerWish }[] = [];
  #streams: ConsumerMessages[] = [];
  #busy = 0;
  #paused = false;
  #closed = false;

  constructor(subscription: BusSubscription, settings: NatsBusSettings, log: Logger, onClose: () => void) {
    this.#subscription = subscription;
    this.#settings = settings;
    this.#log = log.with({ consumer: subscription.name });
    this.#onClose = onClose;
    this.#types = new Map(subscription.types.map(({ type, ordered }) => [type, ordered]));
    this.#wishes = groupConsumers(settings, subscription.name, subscription.types);
    this.#speaking = settings.runtime.timers.every(settings.ackWaitMs / 3, () => this.#speak());
  }

  /** Makes the group's consumers when they are not there, and listens. The connection before is forgotten. */
  async attach(attachment: Attachment): Promise<void> {
    const { jsm, js } = attachment;
    const grown = await Promise.all(this.#wishes.map((wish) => ensureConsumer(jsm, this.#settings, wish)));
    if (grown.includes(true)) await this.#settings.runtime.timers.sleep(INTEREST_MS);
    const consumers = await Promise.all(
      this.#wishes.map(async (wish) => ({ wish, consumer: await js.consumers.get(this.#settings.prefix, wish.name) })),
    );
    this.#attachment = attachment;
    this.#consumers = consumers;
    this.#streams = [];
    if (!this.#paused && !this.#closed) await this.#listen();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#silence();
  }

  resume(): void {
    if (!this.#paused || this.#closed) return;
    this.#paused = false;
    this.#listen().catch((error) => this.#attachment?.fail(error));
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#silence();
      this.#onClose();
      for (const turn of this.#waiting.splice(0)) turn();
      this.#settle();
    }
    return this.#idle.promise;
  }

  async #listen(): Promise<void> {
    const attachment = this.#attachment;
    await Promise.all(
      this.#consumers.map(async ({ consumer, wish }) => {
        const messages = await consumer.consume({
          // One more than can be under way, so that the next is on its way when this one is done.
          max_messages: wish.maxAckPending === 1 ? 2 : this.#concurrency,
          threshold_messages: wish.maxAckPending === 1 ? 1 : Math.ceil(this.#concurrency / 2),
          expires: 10_000,
          idle_heartbeat: 2500,
          callback: (message) => this.#take(message, wish, consumer),
        });
        if (this.#paused || this.#closed || attachment !== this.#attachment) return messages.stop();
        this.#streams.push(messages);
        void this.#watch(messages, wish, attachment);
      }),
    );
  }

  /** A consumer that is gone falls silent and says so only here. */
  async #watch(messages: ConsumerMessages, { name }: ConsumerWish, attachment: Attachment | undefined): Promise<void> {
    for await (const { type } of messages.status()) {
      if (!['consumer_deleted', 'consumer_not_found', 'stream_not_found', 'no_responders'].includes(type)) continue;
      attachment?.fail(natsErrors.CONSUMER_GONE({ consumer: name, why: type }));
    }
  }

  #silence(): void {
    for (const messages of this.#streams.splice(0)) messages.stop();
  }

  #take(message: JsMsg, wish: ConsumerWish, consumer: Consumer): void {
    if (this.#paused || this.#closed) {
      this.#tell(message, () => message.nak(GIVE_BACK_MS));
      return;
    }
    const id = `${wish.name}:${message.seq}`;
    const running = this.#running.get(id);
    if (running !== undefined) {
      running.message = message;
      return;
    }
    const ordered = wish.maxAckPending === 1;
    this.#running.set(id, { message, ordered });
    void this.#run(id, consumer);
  }

  async #run(id: string, consumer: Consumer): Promise<void> {
    const running = this.#running.get(id) as Running;
    if (this.#busy >= this.#concurrency) await new Promise<void>((turn) => this.#waiting.push(turn));
    this.#busy++;
    let say: (message: JsMsg) => void = (message) => message.nak(GIVE_BACK_MS);
    try {
      if (!this.#closed && !this.#paused) say = await this.#handle(running, consumer);
    } catch (thrown) {
      this.#log.error('a message of the stream could not be looked at', { err: fromUnknown(thrown) });
      say = (message) => message.nak(LONGEST_REDELIVERY_MS);
    }
    this.#running.delete(id);
    this.#tell(running.message, () => say(running.message));
    this.#busy--;
    this.#waiting.shift()?.();
    this.#settle();
  }

  /** @returns what to tell the server */
  async #handle({ message, ordered }: Running, consumer: Consumer): Promise<(message: JsMsg) => void> {
    const { deliveryCount: delivery } = message.info;
    const envelope = this.#read(message);
    if (envelope === undefined) return (last) => last.term('it is no event');
    const heardOrdered = this.#types.get(envelope.type);
    if (heardOrdered !== ordered) {
      // Heard by a consumer of its own, by nobody, or by a younger version of this service that runs beside us.
      const foreign = heardOrdered === undefined && (await this.#isHeardByOthers(consumer, envelope.type));
      if (!foreign) return (last) => last.ack();
      if (delivery <= FOREIGN_TRIES) return (last) => last.nak(INTEREST_MS);
    }
    try {
      await this.#subscription.handle({ envelope, delivery });
      return (last) => last.ack();
    } catch (thrown) {
      const ceilingMs = Math.min(LONGEST_REDELIVERY_MS, FIRST_REDELIVERY_MS * 2 ** Math.min(delivery - 1, 20));
      const delayMs = ceilingMs * (0.5 + this.#settings.runtime.random.next() / 2);
      const facts = { type: envelope.type, id: envelope.id, delayMs, err: fromUnknown(thrown) };
      if (!this.#closed) this.#log.warn('an event is delivered again', facts);
      // Never without a delay: the server would hand it out again at once, for ever.
      return (last) => last.nak(delayMs);
    }
  }

  #read(message: JsMsg): Envelope | undefined {
    try {
      return toEnvelope(message.headers, message.data, message.seq);
    } catch (thrown) {
      this.#log.error('a message of the stream is no event and is left out', { err: fromUnknown(thrown) });
      return undefined;
    }
  }

  async #isHeardByOthers(consumer: Consumer, type: string): Promise<boolean> {
    const { clock } = this.#settings.runtime;
    let known = this.#interest.get(consumer);
    if (known === undefined || clock.monotonicMs() - known.atMs > INTEREST_MS) {
      const atMs = clock.monotonicMs();
      known = { atMs, types: new Set(typesOf((await consumer.info()).config)) };
      this.#interest.set(consumer, known);
    }
    return known.types.has(type);
  }

  readonly #interest = new WeakMap<Consumer, { readonly atMs: number; readonly types: ReadonlySet<string> }>();

  #speak(): void {
    for (const { message } of this.#running.values()) this.#tell(message, () => message.working());
  }

  /** Over a connection that is gone nothing can be told: the server finds out when `ackWaitMs` is over. */
  #tell(message: JsMsg, say: () => void): void {
    try {
      say();
    } catch (thrown) {
      this.#log.debug('an acknowledgement was lost', { sequence: message.seq, err: fromUnknown(thrown) });
    }
  }

  #settle(): void {
    if (!this.#closed || this.#running.size > 0) return;
    this.#speaking.cancel();
    this.#idle.resolve();
  }

  get #concurrency(): number {
    return this.#subscription.concurrency ?? DEFAULT_CONCURRENCY;
  }
}
