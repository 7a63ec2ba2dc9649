export { type Delivery, type EventHandler, on, type Subscription, type SubscriptionOptions } from './consumer.ts';
export type { Envelope } from './envelope.ts';
export type { Publisher } from './publisher.ts';
