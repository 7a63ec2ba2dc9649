export type { Charge, ChargeStatus, LedgerEntry, Refund, RefundStatus } from './charge.ts';
export type { Faults } from './faults.ts';
export { createPaymentProvider, type PaymentProvider, type PaymentProviderOptions } from './payment-provider.ts';
export { type ProviderSettings, providerSettings } from './settings.ts';
export { WEBHOOK_TYPES, type WebhookEvent, type WebhookType } from './webhook-event.ts';
