import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { type Context, fromUnknown, type Logger } from '@souk/kernel';
import {
  type ActiveSubscription,
  answer,
  createReplies,
  encodeRequest,
  messagingErrors,
  type Replies,
} from '@souk/messaging';
import type { NatsBusSettings } from './options.ts';
import { toToken } from './wire.ts';

/** Requests that one responder works on; beyond it callers are told to come back. */
const MOST_RUNNING = 1000;

/** Outside of the stream's subjects: requests are not kept. */
const subjectOf = ({ prefix }: NatsBusSettings, address: string): string => `${prefix}-requests.${toToken(address)}`;

/** The asking side. */
export class Requests {
  readonly #settings: NatsBusSettings;
  readonly #replies: Replies;
  #inbox = '';

  constructor(settings: NatsBusSettings) {
    this.#settings = settings;
    this.#replies = createReplies(settings.runtime);
  }

  get late(): number {
    return this.#replies.late;
  }

  attach(nc: NatsConnection): void {
    this.#inbox = createInbox();
    const at = this.#inbox.length + 1;
    nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) return;
        const id = message.subject.slice(at);
        const nobody = message.data.length === 0 && message.headers?.code === 503;
        if (nobody) this.#replies.fail(id, messagingErrors.NO_RESPONDER({ address: 'the address' }));
        else this.#replies.settle(id, message.data.slice());
      },
    });
  }

  detach(why: string): void {
    this.#replies.failAll(messagingErrors.BUS_UNAVAILABLE({ bus: 'nats', why }));
  }

  async ask(nc: NatsConnection, ctx: Context, address: string, body: Uint8Array): Promise<Uint8Array> {
    const { id, reply } = this.#replies.open(ctx);
    const asked = encodeRequest(this.#settings.runtime, ctx, body);
    try {
      nc.publish(subjectOf(this.#settings, address), asked, { reply: `${this.#inbox}.${id}` });
    } catch (cause) {
      const why = 'the request could not be sent';
      this.#replies.fail(id, messagingErrors.BUS_UNAVAILABLE({ bus: 'nats', why }, { cause }));
    }
    return reply;
  }
}

export interface ResponderInit {
  readonly address: string;
  readonly settings: NatsBusSettings;
  readonly log: Logger;
  handle(ctx: Context, body: Uint8Array): Promise<Uint8Array>;
  onClose(): void;
}

/** The answering side, over as many connections as it takes. Several share the requests of an address. */
export class Responder implements ActiveSubscription {
  readonly #init: ResponderInit;
  readonly #running = new Set<Promise<void>>();
  #nc: NatsConnection | undefined;
  #heard: Subscription | undefined;
  #paused = false;
  #closed = false;

  constructor(init: ResponderInit) {
    this.#init = init;
  }

  attach(nc: NatsConnection): void {
    this.#nc = nc;
    this.#heard = undefined;
    if (!this.#paused && !this.#closed) this.#listen();
  }

  pause(): void {
    this.#paused = true;
    this.#silence();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#closed && this.#heard === undefined && this.#nc?.isClosed() === false) this.#listen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#silence();
    this.#init.onClose();
    await Promise.all(this.#running);
  }

  #listen(): void {
    const { settings, address } = this.#init;
    this.#heard = this.#nc?.subscribe(subjectOf(settings, address), {
      queue: settings.prefix,
      callback: (error, message) => {
        if (error !== null) return;
        const work = this.#answer(message).finally(() => this.#running.delete(work));
        this.#running.add(work);
      },
    });
  }

  async #answer(message: Msg): Promise<void> {
    const { settings, handle, log } = this.#init;
    const tooMany = this.#running.size >= MOST_RUNNING;
    const refuse = () => Promise.reject(messagingErrors.TOO_MANY_REQUESTS({ max: MOST_RUNNING }, { afterMs: 100 }));
    try {
      const reply = await answer(settings.runtime, message.data.slice(), tooMany ? refuse : handle);
      if (reply !== undefined) message.respond(reply);
    } catch (thrown) {
      log.debug('an answer could not be sent', { err: fromUnknown(thrown) });
    }
  }

  #silence(): void {
    if (this.#nc?.isClosed() === false) this.#heard?.unsubscribe();
    this.#heard = undefined;
  }
}
