import { createHmac, timingSafeEqual } from 'node:crypto';
import { signatureErrors } from './errors.ts';

/** What a signature covers: the body byte for byte, and when it was sent. */
export interface SignedPayload {
  /** Seconds since 1970, as sent. */
  readonly timestamp: string;
  readonly body: Uint8Array;
}

export interface VerifyOptions {
  /** Every secret that is live: the new one and, while it is replaced, the old one. */
  readonly secrets: readonly string[];
  /** As sent: one or more signatures, separated by commas. */
  readonly signature: string;
  /** Milliseconds since 1970: `clock.now()`. */
  readonly nowMs: number;
  /** How far the timestamp may be from now, in milliseconds. @default 300000 */
  readonly toleranceMs?: number;
}

const TOLERANCE_MS = 300_000;
const TIMESTAMP = /^[0-9]{1,12}$/;
const SIGNATURE = /^v1=([0-9a-f]{64})$/;
const MOST_SIGNATURES = 10;

/** HMAC-SHA256 over `timestamp.body`, as `v1=<hex>`. */
export const signPayload = (secret: string, payload: SignedPayload): string =>
  `v1=${mac(secret, payload).toString('hex')}`;

/**
 * Accepts a payload that one of the secrets has signed lately. Inside the tolerance the same payload can come twice: whoever
 * takes it removes duplicates by its id.
 * @throws SIGNATURE_INVALID, SIGNATURE_EXPIRED
 */
export function verifyPayload(payload: SignedPayload, options: VerifyOptions): void {
  if (!TIMESTAMP.test(payload.timestamp)) throw signatureErrors.INVALID();
  const given = options.signature.split(',', MOST_SIGNATURES).map((each) => SIGNATURE.exec(each.trim())?.[1]);
  const expected = options.secrets.filter((secret) => secret !== '').map((secret) => mac(secret, payload));
  // Every pair is compared, so that time does not tell which one fits.
  let matches = 0;
  for (const hex of given) {
    const bytes = Buffer.from(hex ?? '0'.repeat(64), 'hex');
    for (const own of expected) matches += Number(hex !== undefined && timingSafeEqual(bytes, own));
  }
  if (matches === 0) throw signatureErrors.INVALID();
  const distanceMs = Math.abs(options.nowMs - Number(payload.timestamp) * 1000);
  if (distanceMs > (options.toleranceMs ?? TOLERANCE_MS)) throw signatureErrors.EXPIRED();
}

const mac = (secret: string, { timestamp, body }: SignedPayload): Buffer =>
  createHmac('sha256', secret).update(timestamp).update('.').update(body).digest();
