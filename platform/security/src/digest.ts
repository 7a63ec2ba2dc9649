import { createHash, timingSafeEqual } from 'node:crypto';
import type { Random } from '@souk/kernel';

const SMALLEST_TOKEN_BYTES = 16;

/** SHA-256 in hexadecimal. Fit to store tokens of {@link randomToken} by; not fit for passwords. */
export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/**
 * A secret that cannot be guessed, in base64url.
 * @param random The system's source; a seeded one is for tests.
 * @param bytes At least 16 are used. @default 32
 */
export const randomToken = (random: Random, bytes = 32): string =>
  Buffer.from(random.bytes(Math.max(SMALLEST_TOKEN_BYTES, bytes))).toString('base64url');

/** Compares secrets in a time that tells neither where they differ nor how long they are. */
export const constantTimeEqual = (left: string | Uint8Array, right: string | Uint8Array): boolean =>
  timingSafeEqual(digest(left), digest(right));

const digest = (data: string | Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
