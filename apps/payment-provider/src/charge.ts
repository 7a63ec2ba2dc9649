/** Where a charge stands. */
export type ChargeStatus = 'authorized' | 'captured' | 'voided' | 'failed';

export type RefundStatus = 'succeeded' | 'failed';

/** Money given back. */
export interface Refund {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly amount: number;
  readonly status: RefundStatus;
}

/** A charge as the API shows it. Amounts count minor units. */
export interface Charge {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly status: ChargeStatus;
  readonly amount: number;
  readonly captured: number;
  readonly refunded: number;
  readonly currency: string;
  /** What the client calls it. */
  readonly reference: string;
  /** Why it failed: `card_declined`; otherwise empty. */
  readonly failureCode: string;
  readonly createdAt: string;
  readonly refunds: readonly Refund[];
}

/** One line of the ledger, with the charge as it stands now. */
export interface LedgerEntry {
  readonly sequence: number;
  readonly kind: 'authorize' | 'fail' | 'capture' | 'void' | 'refund' | 'refund-failed';
  readonly amount: number;
  readonly at: string;
  readonly charge: Charge;
}
