export type {
  ActiveSubscription,
  Bus,
  BusCapabilities,
  BusDelivery,
  BusHealth,
  BusSubscription,
} from './bus.ts';
export { type Delivery, type EventHandler, on, type Subscription, type SubscriptionOptions } from './consumer.ts';
export type { Envelope } from './envelope.ts';
export { type EnvelopeJson, fromEnvelopeJson, toEnvelopeJson } from './envelope-json.ts';
export { messagingErrors } from './errors.ts';
export { createInProcessBus, type InProcessBusOptions } from './in-process-bus.ts';
export {
  createMessaging,
  type Messaging,
  type MessagingHealth,
  type MessagingInit,
  type ServiceSubscription,
} from './messaging.ts';
export { messagingMigrations } from './migrations.ts';
export { type MessagingOptions, messagingDefaults } from './options.ts';
export type { Publisher } from './publisher.ts';
export { answer, createReplies, decodeReply, decodeRequest, encodeRequest, type Replies } from './request-reply.ts';
