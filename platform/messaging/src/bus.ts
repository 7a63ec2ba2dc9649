import type { Context } from '@souk/kernel';
import type { Envelope } from './envelope.ts';

/** One delivery by the bus. */
export interface BusDelivery {
  readonly envelope: Envelope;
  /** 1 for the first; how often this event has been delivered to this subscription, as far as the bus knows. */
  readonly delivery: number;
}

/** What one consumer hears. */
export interface BusSubscription {
  /** Name of the consumer group: the service. The same name in another process is the same subscription: they compete. */
  readonly name: string;
  /** Types of events. Those that are `ordered` keep the order of their key among each other. */
  readonly types: readonly { readonly type: string; readonly ordered: boolean }[];
  /** Events handled at the same time in this process, one per key; what waits here beyond them is bounded. @default 32 */
  readonly concurrency?: number;
  /**
   * Resolves when the event is handled or durably kept for later: that acknowledges it. Rejects: it is delivered again later, and later
   * ones of its key after it.
   */
  handle(delivery: BusDelivery): Promise<void>;
}

/** A subscription or a responder that is heard. */
export interface ActiveSubscription {
  /** Takes nothing more; what runs goes on, and nothing is lost. */
  pause(): void;
  resume(): void;
  /**
   * Takes nothing more and resolves when what runs has ended. The interest remains: events for it are kept by the bus, or, when it is
   * not durable, not acknowledged any more, so that their publisher keeps them.
   */
  close(): Promise<void>;
}

/** What a transport can do. Differences are asked for here, never by its name. */
export interface BusCapabilities {
  /** Keeps the order of a key even when a call for it is made while an earlier one is under way, and one of them fails. */
  readonly pipelinesKeys: boolean;
  /** Keeps events until a subscription that is away comes back. Otherwise the publisher's outbox does. */
  readonly durable: boolean;
  /** Reaches other processes. */
  readonly crossProcess: boolean;
  /** Has `request` and `respond`. */
  readonly requestReply: boolean;
  /** `BusDelivery.delivery` goes on counting when the consumer was killed. */
  readonly countsDeliveries: boolean;
}

export interface BusHealth {
  readonly state: 'connected' | 'connecting' | 'closed';
  /** How long it has been so, in milliseconds. */
  readonly sinceMs: number;
  /** Why the last attempt to connect, or the last connection, ended. */
  readonly lastError: string | undefined;
  /** Answers that came when nobody waited for them any more. */
  readonly lateReplies?: number;
}

/**
 * Carries events from publishers to subscriptions: at least once, and in order per source and key.
 *
 * A durable bus learns of a consumer group when it subscribes, or at the start; what was published before is not for it. For one that
 * is not durable, all subscriptions are made before the first event is published: whom it does not know, it does not serve.
 */
export interface Bus {
  /** For people: `in-process`, `postgres`, `nats`, `rabbitmq`. */
  readonly name: string;
  readonly can: BusCapabilities;
  /**
   * Connects. Never rejects because the broker is away: after 5 s it resolves and goes on connecting, with waits drawn between 0 and a
   * limit that doubles from 100 ms to 5 s.
   */
  start(): Promise<void>;
  /**
   * Resolves when every envelope is durably taken, or, by a bus that is not durable, handled by every subscription. Envelopes of one
   * key are taken in the order given; when one cannot be taken, none of its key behind it in this call is.
   *
   * @throws MESSAGING_BUS_FULL, MESSAGING_SUBSCRIPTION_CLOSED, MESSAGING_BUS_UNAVAILABLE, or what the transport says: publish all of
   * them again, duplicates are the consumer's to tell
   */
  publish(envelopes: readonly Envelope[]): Promise<void>;
  /** May be called before `start`. */
  subscribe(subscription: BusSubscription): ActiveSubscription;
  /**
   * Asks whoever responds at `address`, within the deadline of `ctx`. Answers that come later are dropped and counted.
   *
   * @throws MESSAGING_NO_RESPONDER when nobody is there, MESSAGING_TOO_MANY_REQUESTS above 1,000 that wait, SOUK_DEADLINE_EXCEEDED,
   * MESSAGING_NOT_SUPPORTED, or the SoukError that the responder threw
   */
  request(ctx: Context, address: string, body: Uint8Array): Promise<Uint8Array>;
  /** Answers requests. Several that respond at an address share them. What `handle` throws travels as code, reason and message. */
  respond(address: string, handle: (ctx: Context, body: Uint8Array) => Promise<Uint8Array>): ActiveSubscription;
  health(): BusHealth;
  /** Closes all subscriptions, then lets go of the broker. */
  close(): Promise<void>;
}
