import { type Context, fromUnknown, type Logger } from '@souk/kernel';
import {
  type ActiveSubscription,
  answer,
  createReplies,
  describeFault,
  encodeRequest,
  messagingErrors,
  type Replies,
} from '@souk/messaging';
import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';
import type { RabbitmqBusSettings } from './options.ts';
import { declareRequests, requestQueue } from './topology.ts';

/** Requests that one responder works on; beyond it callers are told to come back. */
const MOST_RUNNING = 1000;
const REPLY_TO = 'amq.rabbitmq.reply-to';
const BODY_TYPE = 'application/octet-stream';

/** The asking side, by direct reply-to: questions and answers share a channel. */
export class Requests {
  readonly #settings: RabbitmqBusSettings;
  readonly #replies: Replies;
  readonly #addresses = new Map<string, string>();

  constructor(settings: RabbitmqBusSettings) {
    this.#settings = settings;
    this.#replies = createReplies(settings.runtime);
  }

  get late(): number {
    return this.#replies.late;
  }

  /** @param channel Used for nothing else that is returned. */
  async attach(channel: Channel): Promise<void> {
    channel.on('basic.return', ({ correlationId = '' }) => {
      const address = this.#addresses.get(correlationId) ?? '';
      this.#replies.fail(correlationId, messagingErrors.NO_RESPONDER({ address }));
    });
    await channel.basicConsume({ queue: REPLY_TO, noAck: true }, ({ correlationId = '', body }) => {
      this.#replies.settle(correlationId, Buffer.isBuffer(body) ? new Uint8Array(body) : new Uint8Array());
    });
  }

  detach(why: string): void {
    this.#replies.failAll(messagingErrors.BUS_UNAVAILABLE({ bus: 'rabbitmq', why }));
  }

  async ask(channel: Channel, ctx: Context, address: string, body: Uint8Array): Promise<Uint8Array> {
    const { id, reply } = this.#replies.open(ctx);
    const leftMs = ctx.remainingMs();
    this.#addresses.set(id, address);
    channel
      .basicPublish(
        {
          routingKey: requestQueue(this.#settings, address),
          mandatory: true,
          replyTo: REPLY_TO,
          correlationId: id,
          contentType: BODY_TYPE,
          ...(Number.isFinite(leftMs) ? { expiration: String(Math.ceil(leftMs)) } : {}),
        },
        Buffer.from(encodeRequest(this.#settings.runtime, ctx, body)),
      )
      .catch((cause) => {
        const why = 'the request could not be sent';
        this.#replies.fail(id, messagingErrors.BUS_UNAVAILABLE({ bus: 'rabbitmq', why }, { cause }));
      });
    return reply.finally(() => this.#addresses.delete(id));
  }
}

export interface ResponderInit {
  readonly address: string;
  readonly settings: RabbitmqBusSettings;
  readonly log: Logger;
  handle(ctx: Context, body: Uint8Array): Promise<Uint8Array>;
  onClose(): void;
}

export interface ResponderAttachment {
  readonly consuming: Connection;
  /** Answers go out here: a connection that publishes may be blocked, and then takes no acknowledgements either. */
  readonly answers: Channel;
  fail(error: unknown): void;
}

/** The answering side, over as many connections as it takes. Several share the requests of an address. */
export class Responder implements ActiveSubscription {
  readonly #init: ResponderInit;
  readonly #running = new Set<Promise<void>>();
  #attachment: ResponderAttachment | undefined;
  #channel: Channel | undefined;
  #turn: Promise<void> = Promise.resolve();
  #wanted: 'heard' | 'paused' | 'closed' = 'heard';

  constructor(init: ResponderInit) {
    this.#init = init;
  }

  attach(attachment: ResponderAttachment): Promise<void> {
    this.#attachment = attachment;
    this.#channel = undefined;
    return this.#change();
  }

  pause(): void {
    if (this.#wanted === 'heard') this.#want('paused');
  }

  resume(): void {
    if (this.#wanted === 'paused') this.#want('heard');
  }

  async close(): Promise<void> {
    if (this.#wanted !== 'closed') this.#want('closed');
    this.#init.onClose();
    await this.#turn;
    await Promise.all(this.#running);
  }

  #want(state: 'heard' | 'paused' | 'closed'): void {
    this.#wanted = state;
    void this.#change();
  }

  #change(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      try {
        if (this.#wanted === 'heard') await this.#listen();
        else {
          const channel = this.#channel;
          this.#channel = undefined;
          await channel?.close();
        }
      } catch (thrown) {
        this.#attachment?.fail(thrown);
      }
    });
    return this.#turn;
  }

  async #listen(): Promise<void> {
    const attachment = this.#attachment;
    if (attachment === undefined || this.#channel !== undefined) return;
    const queue = requestQueue(this.#init.settings, this.#init.address);
    const channel = await attachment.consuming.acquire({ emitErrorsFromChannel: true });
    const lost = (why: string) => {
      if (this.#channel === channel) attachment.fail(rabbitmqErrors.CONSUMER_GONE({ queue, why }));
    };
    channel.on('error', (error) => lost(describeFault(error)));
    channel.on('close', () => lost('the channel was closed'));
    channel.on('basic.cancel', () => lost('the broker ended the consumer'));
    await declareRequests(channel, queue);
    // A request is worked on once at most: its caller decides whether to ask again.
    await channel.basicConsume({ queue, noAck: true }, (message) => {
      const work = this.#answer(message, attachment).finally(() => this.#running.delete(work));
      this.#running.add(work);
    });
    this.#channel = channel;
  }

  async #answer({ body, replyTo, correlationId = '' }: AsyncMessage, attachment: ResponderAttachment): Promise<void> {
    const { settings, handle, log } = this.#init;
    const tooMany = this.#running.size >= MOST_RUNNING;
    const refuse = () => Promise.reject(messagingErrors.TOO_MANY_REQUESTS({ max: MOST_RUNNING }, { afterMs: 100 }));
    if (replyTo === undefined || !Buffer.isBuffer(body)) return;
    try {
      const reply = await answer(settings.runtime, new Uint8Array(body), tooMany ? refuse : handle);
      if (reply === undefined) return;
      const properties = { routingKey: replyTo, correlationId, contentType: BODY_TYPE };
      await attachment.answers.basicPublish(properties, Buffer.from(reply));
    } catch (thrown) {
      log.debug('an answer could not be sent', { err: fromUnknown(thrown) });
    }
  }
}
