import type { Context } from '@souk/kernel';
import type { ChargeStatus } from './domain/payment.ts';

/** Money given back, as the provider tells it. */
export interface ProviderRefund {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly amount: bigint;
  readonly status: 'succeeded' | 'failed';
}

/** A charge, as the provider tells it. */
export interface ProviderCharge {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly status: ChargeStatus;
  readonly amount: bigint;
  readonly captured: bigint;
  readonly refunded: bigint;
  readonly currency: string;
  /** The id of our payment. */
  readonly reference: string;
  /** `card_declined`, or empty. */
  readonly failureCode: string;
  readonly refunds: readonly ProviderRefund[];
}

export interface AuthorizeInput {
  readonly key: string;
  readonly amount: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly reference: string;
}

/**
 * Whoever moves the money. Each method asks once.
 *
 * @throws PAYMENTS_PROVIDER_UNAVAILABLE (nothing happened), PAYMENTS_PROVIDER_TIMED_OUT (it may have happened: the same key finds
 * out), PAYMENTS_PROVIDER_REFUSED (it did not and will not happen), PAYMENTS_PROVIDER_MISCONFIGURED
 */
export interface PaymentProvider {
  /** As in the path of its webhooks. */
  readonly name: string;
  createPaymentMethod(ctx: Context, token: string): Promise<{ reference: string; brand: string; last4: string }>;
  /** A refusal by the bank is a charge that failed, not an error. */
  authorize(ctx: Context, input: AuthorizeInput): Promise<ProviderCharge>;
  capture(ctx: Context, chargeId: string, input: { key: string; amount: bigint }): Promise<ProviderCharge>;
  void(ctx: Context, chargeId: string, input: { key: string }): Promise<ProviderCharge>;
  refund(ctx: Context, chargeId: string, input: { key: string; amount: bigint }): Promise<ProviderRefund>;
  /** The charge that was made under a key of `authorize`. */
  findCharge(ctx: Context, key: string): Promise<ProviderCharge | undefined>;
  getCharge(ctx: Context, chargeId: string): Promise<ProviderCharge | undefined>;
  /** Charges that changed since a time, in the order of their changes, as they stand now; a charge comes once per change. */
  changes(ctx: Context, since: { afterSequence: number; sinceMs: number }): Promise<ProviderChanges>;
  close(): void;
}

export interface ProviderChanges {
  readonly charges: readonly ProviderCharge[];
  /** Where to go on. */
  readonly lastSequence: number;
  readonly more: boolean;
}
