import type { Envelope } from './envelope.ts';

/** One delivery by the bus. */
export interface BusDelivery {
  readonly envelope: Envelope;
  /** 1 for the first; how often this bus has delivered the event to this subscription, as far as it knows. */
  readonly delivery: number;
}

/** What one consumer hears. */
export interface BusSubscription {
  /** Name of the consumer: the service. The same name in another process is the same subscription. */
  readonly name: string;
  /** Types of events. Those that are `ordered` keep the order of their key among each other. */
  readonly types: readonly { readonly type: string; readonly ordered: boolean }[];
  /** Resolves when the event is handled or durably kept for later: that acknowledges it. Rejects: it is delivered again. */
  handle(delivery: BusDelivery): Promise<void>;
}

/** A subscription that is heard. */
export interface ActiveSubscription {
  /**
   * Takes nothing more and resolves when what runs has ended. The interest remains: events for it are not acknowledged any more, so
   * that their publisher keeps them.
   */
  close(): Promise<void>;
}

/** What a transport can do. Differences are asked for here, never by its name. */
export interface BusCapabilities {
  /** Keeps the order of a key even when a call for it is made while an earlier one is under way, and one of them fails. */
  readonly pipelinesKeys: boolean;
  /** Keeps events until a subscription that is away comes back. Otherwise the publisher's outbox does. */
  readonly durable: boolean;
}

/**
 * Carries events from publishers to subscriptions: at least once, and in order per source and key.
 *
 * All subscriptions are made before the first event is published: whom a bus without memory does not know, it does not serve.
 */
export interface Bus {
  readonly name: string;
  readonly can: BusCapabilities;
  /**
   * Resolves when every subscription has durably taken or handled every envelope. Envelopes of one key are taken in the order given;
   * when one cannot be taken, none of its key behind it in this call is.
   *
   * @throws MESSAGING_BUS_FULL, MESSAGING_SUBSCRIPTION_CLOSED, or what the transport says: publish all of them again, duplicates are
   * the consumer's to tell
   */
  publish(envelopes: readonly Envelope[]): Promise<void>;
  subscribe(subscription: BusSubscription): ActiveSubscription;
  /** Closes all subscriptions. */
  close(): Promise<void>;
}
