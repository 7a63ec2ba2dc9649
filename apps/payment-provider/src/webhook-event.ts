import type { Charge } from './charge.ts';

/** Types of events. */
export const WEBHOOK_TYPES = [
  'charge.authorized',
  'charge.failed',
  'charge.captured',
  'charge.voided',
  'refund.succeeded',
  'refund.failed',
] as const;

export type WebhookType = (typeof WEBHOOK_TYPES)[number];

/** What the body of a webhook holds. */
export interface WebhookEvent {
  /** The same in every delivery: what a receiver removes duplicates by. */
  readonly id: string;
  readonly type: WebhookType;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Order in which things happened. Deliveries may come in another order. */
  readonly sequence: number;
  /** The charge as it was after the event. */
  readonly data: Charge;
}
