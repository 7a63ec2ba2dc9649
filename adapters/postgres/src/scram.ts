import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

/** PostgreSQL's own default. */
const ITERATIONS = 4096;

/**
 * What PostgreSQL stores of a password (RFC 5803), made here so that the password itself is in no statement and no server log.
 *
 * @param password ASCII.
 * @param salt 16 random bytes.
 */
export function scramVerifier(password: string, salt: Uint8Array): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest();
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${base64(salt)}$${base64(stored)}:${base64(hmac('Server Key'))}`;
}

/** A role's password, made of the administrator's: every process with the same administrator signs in without storing anything. */
export const rolePassword = (adminPassword: string, role: string): string =>
  createHmac('sha256', adminPassword).update(`role ${role}`).digest('base64url');
