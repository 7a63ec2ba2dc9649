export { BrokerLink, type BrokerLinkInit, type BrokerSession, describeFault } from './broker-link.ts';
export type {
  ActiveSubscription,
  Bus,
  BusCapabilities,
  BusDelivery,
  BusHealth,
  BusSubscription,
} from './bus.ts';
export {
  type DeadLetterPolicy,
  type Delivery,
  type EventHandler,
  on,
  type Subscription,
  type SubscriptionOptions,
} from './consumer.ts';
export {
  type BlockedKey,
  type ConsumerControl,
  type ConsumerControlInit,
  type ConsumerState,
  createConsumerControl,
} from './consumer-control.ts';
export {
  type ActOptions,
  createDeadLetters,
  type DeadLetter,
  type DeadLetterDetails,
  type DeadLetterFilter,
  type DeadLetterGroup,
  type DeadLetterPreview,
  type DeadLetterSelection,
  type DeadLetterStatus,
  type DeadLetters,
  type DeadLettersInit,
  type OperatorNote,
  type RedriveOptions,
  type RedriveProgress,
} from './dead-letters.ts';
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
export { listOperatorActions, type OperatorAction } from './operator-actions.ts';
export { type MessagingOptions, messagingDefaults } from './options.ts';
export type { Publisher } from './publisher.ts';
export { answer, createReplies, decodeReply, decodeRequest, encodeRequest, type Replies } from './request-reply.ts';
export type { Failure } from './retry-table.ts';
