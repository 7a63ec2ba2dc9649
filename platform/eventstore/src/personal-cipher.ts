import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '@souk/kernel';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;

/**
 * AES-256-GCM with a random nonce: nonce, tag, ciphertext.
 *
 * @param bound What the ciphertext belongs to: it cannot be read in another place.
 */
export function seal(random: Random, key: Uint8Array, plain: Uint8Array, bound: string): Buffer {
  const iv = random.bytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(Buffer.from(bound));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
}

/** @returns undefined when the key is another, or anything was changed */
export function unseal(key: Uint8Array, sealed: Uint8Array, bound: string): Buffer | undefined {
  if (sealed.length < IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(bound))
    .setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
  } catch {
    // The cipher says no more than that it does not fit.
    return undefined;
  }
}
