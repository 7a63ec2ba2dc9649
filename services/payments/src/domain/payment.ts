/*
 * The life of a payment.
 *
 *   PENDING --authorized--> AUTHORIZED --captured--> CAPTURED --refund--> PARTIALLY_REFUNDED --refund--> REFUNDED
 *      |  \--failed--> FAILED    |                      \--------------refund of everything-----------------^
 *      \--voided--> VOIDED <-----+--voided
 *
 * P1 captured <= amount, refunded <= captured.  P2 a payment never moves backwards, whatever comes late or twice.
 * P3 one key per payment and purpose, so that the provider does nothing twice.
 */
import { paymentErrors } from '../errors.ts';

export type PaymentStatus =
  | 'PENDING'
  | 'AUTHORIZED'
  | 'CAPTURED'
  | 'PARTIALLY_REFUNDED'
  | 'REFUNDED'
  | 'VOIDED'
  | 'FAILED';

/** What is asked of the provider. A payment has one attempt per purpose, and one key. */
export type Purpose = 'authorize' | 'capture' | 'void' | `refund/${string}`;

/** Where the provider says that a charge stands. */
export type ChargeStatus = 'authorized' | 'captured' | 'voided' | 'failed';

/** One move of a payment. */
export type Step = 'authorize' | 'fail' | 'capture' | 'void';

/** The provider's idempotency key: a function of payment and purpose, so that no retry can have another. */
export const providerKey = (paymentId: string, purpose: Purpose): string => `${paymentId}/${purpose}`;

/** The key of the void of a charge that the provider made after we had given its payment up. */
export const lateVoidKey = (paymentId: string): string => `${paymentId}/late-void`;

/** The reverse for refunds: the refund's id, or undefined when the key is not one of a refund of this payment. */
export function refundOfKey(paymentId: string, key: string): string | undefined {
  const prefix = `${paymentId}/refund/`;
  return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
}

const STEPS: Readonly<Record<ChargeStatus, Partial<Readonly<Record<PaymentStatus, readonly Step[]>>>>> = {
  authorized: { PENDING: ['authorize'] },
  captured: { PENDING: ['authorize', 'capture'], AUTHORIZED: ['capture'] },
  voided: { PENDING: ['authorize', 'void'], AUTHORIZED: ['void'] },
  failed: { PENDING: ['fail'] },
};

/** The moves that bring a payment to where the provider says it stands; none when it is there, or further. */
export const stepsTo = (status: PaymentStatus, charge: ChargeStatus): readonly Step[] => STEPS[charge][status] ?? [];

/** States in which news of this charge change nothing. */
export const settledAfter = (charge: ChargeStatus): readonly PaymentStatus[] => {
  const all: readonly PaymentStatus[] = [
    'PENDING',
    'AUTHORIZED',
    'CAPTURED',
    'PARTIALLY_REFUNDED',
    'REFUNDED',
    'VOIDED',
    'FAILED',
  ];
  return all.filter((status) => stepsTo(status, charge).length === 0);
};

/**
 * True when the provider's charge and our payment say things that no step can bring together: money is held or taken there that we
 * think is not, or the other way round.
 */
export function contradicts(status: PaymentStatus, charge: ChargeStatus): boolean {
  if (stepsTo(status, charge).length > 0) return false;
  if (status === 'VOIDED') return charge === 'authorized' || charge === 'captured';
  if (status === 'FAILED') return charge !== 'failed';
  if (status === 'AUTHORIZED') return charge === 'failed';
  return status !== 'PENDING' && charge !== 'captured';
}

const REFUSALS: ReadonlyMap<string, (typeof paymentErrors)['CARD_DECLINED']> = new Map([
  ['INSUFFICIENT_FUNDS', paymentErrors.INSUFFICIENT_FUNDS],
  ['EXPIRED_CARD', paymentErrors.EXPIRED_CARD],
]);

/** Why an authorization failed, as an error. Codes that are not known are a declined card. */
export const refusal = (failureCode: string) =>
  (REFUSALS.get(failureCode) ?? paymentErrors.CARD_DECLINED)({}, { details: { failureCode } });

// The last is how long it takes at most, once the provider answers again, until everything is known that its absence left open.
const RESOLVE_AFTER_MS = [5_000, 30_000, 120_000, 300_000] as const;

/** Milliseconds until an unknown outcome is looked into again: 5 s, 30 s, 2 min, then every 5 min. */
export const resolveAfterMs = (looks: number): number =>
  RESOLVE_AFTER_MS[Math.min(looks, RESOLVE_AFTER_MS.length - 1)] as number;
