import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Random } from '@souk/kernel';
import { randomToken } from '@souk/security';
import { appErrors } from './errors.ts';

const FILE = 'operator-token';
const BYTES = 32;

/**
 * The secret that lets commands on this machine operate the shop: whoever can read the data folder is its operator. Made at the first
 * start.
 */
export function ensureOperatorToken(folder: string, random: Random): string {
  const found = read(folder);
  if (found !== undefined) return found;
  const token = randomToken(random, BYTES);
  mkdirSync(folder, { recursive: true });
  // Written beside and moved: a reader never sees half of it, and the mode is that of a new file.
  const fresh = join(folder, `${FILE}.${process.pid}`);
  writeFileSync(fresh, `${token}\n`, { mode: 0o600 });
  renameSync(fresh, join(folder, FILE));
  return token;
}

/** @throws APP_NO_OPERATOR */
export function readOperatorToken(folder: string): string {
  const token = read(folder);
  if (token === undefined) throw appErrors.NO_OPERATOR({ folder });
  return token;
}

function read(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, FILE), 'utf8').trim() || undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
