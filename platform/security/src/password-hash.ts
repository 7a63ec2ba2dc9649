import { passwordErrors } from './errors.ts';

/** Cost of Argon2id. */
export interface PasswordCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly parallelism: number;
}

export interface PasswordHash extends PasswordCost {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const PHC =
  /^\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,3}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
/** Bounds of what a stored hash may ask for, so that a row that was tampered with cannot eat the machine. */
const MOST_MEMORY_KIB = 262_144;
const MOST_PASSES = 20;
const MOST_PARALLELISM = 8;

/** In the PHC string format, which other libraries read too. */
export const formatPasswordHash = ({ memoryKiB, passes, parallelism, salt, hash }: PasswordHash): string =>
  `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`;

/** @throws PASSWORD_HASH_UNREADABLE */
export function parsePasswordHash(text: string): PasswordHash {
  const [, memory, passes, parallelism, salt = '', hash = ''] = PHC.exec(text) ?? [];
  const cost = { memoryKiB: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const isSane =
    cost.memoryKiB >= 8 * cost.parallelism &&
    cost.memoryKiB <= MOST_MEMORY_KIB &&
    cost.passes >= 1 &&
    cost.passes <= MOST_PASSES &&
    cost.parallelism >= 1 &&
    cost.parallelism <= MOST_PARALLELISM;
  if (!isSane) throw passwordErrors.HASH_UNREADABLE();
  return { ...cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
