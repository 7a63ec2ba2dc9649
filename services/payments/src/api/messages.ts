import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  type LedgerEntrySchema,
  Payment_Status,
  type PaymentMethodSchema,
  type PaymentSchema,
  Refund_Status,
  type RefundSchema,
} from '@souk/contracts/payments/v1/payments';
import type { LedgerRow } from '../store/ledger-repository.ts';
import type { PaymentMethodRow } from '../store/method-repository.ts';
import type { PaymentRow, RefundRow } from '../store/payment-row.ts';

export const money = (currency: string, minorUnits: bigint) => ({ currency, minorUnits });

const refundMessage = (refund: RefundRow, currency: string): MessageInitShape<typeof RefundSchema> => ({
  id: refund.id,
  paymentId: refund.payment_id,
  amount: money(currency, refund.amount),
  status: Refund_Status[refund.status],
  reason: refund.reason,
  createdAt: timestampFromDate(refund.created_at),
});

/** A payment as the contract shows it. */
export const paymentMessage = (
  payment: PaymentRow,
  provider: string,
  refunds: readonly RefundRow[] = [],
): MessageInitShape<typeof PaymentSchema> => ({
  id: payment.id,
  orderId: payment.order_id,
  userId: payment.user_id,
  status: Payment_Status[payment.status],
  // A tombstone is of no amount: there never was anything to pay.
  ...(payment.currency !== '' && {
    amount: money(payment.currency, payment.amount),
    captured: money(payment.currency, payment.captured),
    refunded: money(payment.currency, payment.refunded),
  }),
  failureCode: payment.failure_code,
  provider,
  providerReference: payment.provider_reference,
  createdAt: timestampFromDate(payment.created_at),
  updatedAt: timestampFromDate(payment.updated_at),
  version: payment.version,
  paymentMethodId: payment.payment_method_id,
  refunds: refunds.map((refund) => refundMessage(refund, payment.currency)),
  reference: payment.reference,
});

export const methodMessage = (method: PaymentMethodRow): MessageInitShape<typeof PaymentMethodSchema> => ({
  id: method.id,
  userId: method.user_id,
  brand: method.brand,
  last4: method.last4,
  createdAt: timestampFromDate(method.created_at),
});

export const ledgerMessage = (entry: LedgerRow): MessageInitShape<typeof LedgerEntrySchema> => ({
  sequence: entry.sequence,
  transactionId: entry.transaction_id,
  paymentId: entry.payment_id,
  orderId: entry.order_id,
  account: entry.account,
  amount: money(entry.currency, entry.minor_units),
  reason: entry.reason,
  at: timestampFromDate(entry.at),
});
