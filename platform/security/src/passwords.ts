import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '@souk/kernel';
import { passwordErrors } from './errors.ts';
import { formatPasswordHash, type PasswordCost, parsePasswordHash } from './password-hash.ts';
import { createWorkLimit } from './work-limit.ts';

export interface PasswordOptions {
  readonly random: Random;
  /** @default OWASP's: 19456 KiB, 2 passes, 1 lane; about 30 ms */
  readonly cost?: PasswordCost;
  /** Hashes worked on at a time: each takes the memory of one and a thread that files and DNS need too. @default 2 */
  readonly concurrency?: number;
  /** Hashes that wait; more are refused. @default 50 */
  readonly queue?: number;
}

/** Hashes and checks passwords with Argon2id. Equal characters in another Unicode form are the same password (NFC). */
export interface Passwords {
  /** @returns A PHC string, with a salt of its own. @throws PASSWORD_TOO_LONG, PASSWORD_BUSY */
  hash(password: string): Promise<string>;
  /**
   * @param stored The PHC string; undefined for a user who does not exist, which takes as long and never matches.
   * @returns `needsRehash`: it matches, but was hashed at another cost; hash it again and store that.
   * @throws PASSWORD_BUSY, PASSWORD_HASH_UNREADABLE
   */
  verify(
    password: string,
    stored: string | undefined,
  ): Promise<{ readonly matches: boolean; readonly needsRehash: boolean }>;
}

const derive = promisify(argon2);
const OWASP: PasswordCost = { memoryKiB: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Of a password, in code points. */
const LONGEST = 256;

export function createPasswords(options: PasswordOptions): Passwords {
  const cost = options.cost ?? OWASP;
  const limited = createWorkLimit(options.concurrency ?? 2, options.queue ?? 50, () => passwordErrors.BUSY());

  const argon = (password: string, salt: Uint8Array, at: PasswordCost, bytes: number): Promise<Buffer> =>
    limited(() =>
      derive('argon2id', {
        message: password.normalize('NFC'),
        nonce: salt,
        parallelism: at.parallelism,
        tagLength: bytes,
        memory: at.memoryKiB,
        passes: at.passes,
      }),
    );

  return {
    hash: async (password) => {
      if (isTooLong(password)) throw passwordErrors.TOO_LONG({ max: LONGEST });
      const salt = Buffer.from(options.random.bytes(SALT_BYTES));
      return formatPasswordHash({ ...cost, salt, hash: await argon(password, salt, cost, HASH_BYTES) });
    },
    verify: async (password, stored) => {
      if (isTooLong(password)) return { matches: false, needsRehash: false };
      if (stored === undefined) {
        await argon(password, Buffer.alloc(SALT_BYTES), cost, HASH_BYTES);
        return { matches: false, needsRehash: false };
      }
      const known = parsePasswordHash(stored);
      const matches = timingSafeEqual(await argon(password, known.salt, known, known.hash.length), known.hash);
      return { matches, needsRehash: matches && !isAt(cost, known) };
    },
  };
}

/** A code point takes at most two units; text that is far too long is not even counted. */
const isTooLong = (password: string): boolean => password.length > 2 * LONGEST || [...password].length > LONGEST;

const isAt = (cost: PasswordCost, known: PasswordCost): boolean =>
  known.memoryKiB === cost.memoryKiB && known.passes === cost.passes && known.parallelism === cost.parallelism;
