import { serviceErrors } from './errors.ts';

const DEFAULT_PAGE_SIZE = 20;

/** A page's size as asked for; 0 means the default. The contract caps it. */
export const pageSize = (requested: number): number => requested || DEFAULT_PAGE_SIZE;

/**
 * Seals where a page ended: the sort key of its last element, under the name of the list. Opaque to clients, not secret, and
 * checked on the way in; what it selects is limited by the same filters as any page.
 */
export const encodePageToken = (list: string, key: readonly string[]): string =>
  Buffer.from(JSON.stringify([list, ...key])).toString('base64url');

/**
 * @param list The name the token was sealed under.
 * @param length How many parts the key has.
 * @returns undefined for the first page
 * @throws SERVICE_PAGE_TOKEN_INVALID
 */
export function decodePageToken(token: string, list: string, length: number): readonly string[] | undefined {
  if (token === '') return undefined;
  const parts = parse(token);
  const valid = parts.length === length + 1 && parts[0] === list && parts.every(isText);
  if (!valid) throw serviceErrors.PAGE_TOKEN_INVALID();
  return parts.slice(1) as string[];
}

/** NUL and halves of surrogate pairs are in no key of ours, and no database takes them. */
const isText = (part: unknown): boolean => typeof part === 'string' && !part.includes('\0') && part.isWellFormed();

function parse(token: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch (cause) {
    throw serviceErrors.PAGE_TOKEN_INVALID({}, { cause });
  }
}
