/*
 * Double entry: what is booked for each move of money. Positive is a debit, negative a credit; every booking adds up to zero.
 *
 *   customer_holds       what is held on cards          hold_commitments  the other side of it
 *   provider_receivable  what the provider owes us      sales             what was earned
 */

export type Account = 'customer_holds' | 'hold_commitments' | 'provider_receivable' | 'sales';

export type Booking = 'authorize' | 'capture' | 'void' | 'refund' | 'refund-failed';

export interface Posting {
  readonly account: Account;
  readonly minorUnits: bigint;
}

/**
 * @param held What was held; for `capture` and `void` it is released, whatever part of it was captured.
 * @param moved What was captured or given back.
 */
export function postings(booking: Booking, held: bigint, moved: bigint): readonly Posting[] {
  const hold = pair('customer_holds', 'hold_commitments', held);
  const release = pair('hold_commitments', 'customer_holds', held);
  switch (booking) {
    case 'authorize':
      return hold;
    case 'capture':
      return [...release, ...pair('provider_receivable', 'sales', moved)];
    case 'void':
      return release;
    case 'refund':
      return pair('sales', 'provider_receivable', moved);
    case 'refund-failed':
      return pair('provider_receivable', 'sales', moved);
  }
}

const pair = (debit: Account, credit: Account, minorUnits: bigint): readonly Posting[] => [
  { account: debit, minorUnits },
  { account: credit, minorUnits: -minorUnits },
];
