import type { PaymentStatus } from '../domain/payment.ts';

/** A payment as the table has it. */
export interface PaymentRow {
  readonly id: string;
  /** Empty for a charge by hand without an order. */
  readonly order_id: string;
  readonly by_hand: boolean;
  readonly user_id: string;
  readonly payment_method_id: string;
  /** What the provider calls the payment method. */
  readonly method_reference: string;
  readonly status: PaymentStatus;
  readonly currency: string;
  readonly amount: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  /** The sum of refunds on their way. */
  readonly refund_reserved: bigint;
  /** A capture was begun: the payment can no longer be voided, only refunded. */
  readonly capturing: boolean;
  /** Why it was called off, as a stable code; empty when it was not. */
  readonly cancel_reason: string;
  /** It was called off because the order was cancelled, so what was taken is given back. */
  readonly order_cancelled: boolean;
  readonly failure_code: string;
  readonly provider_reference: string;
  readonly reference: string;
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface RefundRow {
  readonly id: string;
  readonly payment_id: string;
  readonly amount: bigint;
  readonly status: 'PENDING' | 'SUCCEEDED' | 'FAILED';
  readonly reason: string;
  readonly created_at: Date;
}
