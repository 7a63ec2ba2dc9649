import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '@souk/kernel';
import { userErrors } from '../errors.ts';

/** How a private key is written to the database. The id of the key is bound in: sealed texts cannot be swapped. */
export interface KeySeal {
  seal(kid: string, text: string): string;
  /** @throws USERS_SIGNING_KEY_SEALED when it was sealed with another secret, or there is none now */
  open(kid: string, stored: string): string;
}

const PREFIX = 'sealed.v1.';
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM under a key derived (HKDF-SHA256) from the secret; without a secret, texts are written as they are. What was written
 * without one can be read with one: new keys are sealed, old ones wear off.
 */
export function createKeySeal(secret: string | undefined, random: Random): KeySeal {
  const key = secret === undefined ? undefined : deriveKey(secret);
  return {
    seal: (kid, text) => {
      if (key === undefined) return text;
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(kid));
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${PREFIX}${sealed.toString('base64url')}`;
    },
    open: (kid, stored) => {
      if (!stored.startsWith(PREFIX)) return stored;
      if (key === undefined) throw userErrors.SIGNING_KEY_SEALED();
      try {
        const sealed = Buffer.from(stored.slice(PREFIX.length), 'base64url');
        const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES))
          .setAAD(Buffer.from(kid))
          .setAuthTag(sealed.subarray(-TAG_BYTES));
        const text = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw userErrors.SIGNING_KEY_SEALED({}, { cause });
      }
    },
  };
}

const deriveKey = (secret: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', 'souk users signing keys', KEY_BYTES));
