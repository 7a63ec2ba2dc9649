import { createHash } from 'node:crypto';
import { decodePageToken, encodePageToken, serviceErrors } from '@souk/service';
import type { Position, Search } from '../domain/search.ts';

const LIST = 'products';

/** A token belongs to one search: another filter, sort or currency refuses it. */
export const sealPosition = (search: Search, position: Position): string =>
  encodePageToken(LIST, [digestOf(search), String(position.tier), position.key, position.id]);

/** @throws SERVICE_PAGE_TOKEN_INVALID */
export function openPosition(search: Search, token: string): Position | undefined {
  const parts = decodePageToken(token, LIST, 4);
  if (parts === undefined) return undefined;
  const [digest, tier, key, id] = parts as [string, string, string, string];
  const valid = digest === digestOf(search) && /^[01]$/.test(tier) && fits(search, key) && !/\p{Cc}/u.test(key + id);
  if (!valid) throw serviceErrors.PAGE_TOKEN_INVALID();
  return { tier: Number(tier), key, id };
}

const fits = ({ sort }: Search, key: string): boolean => !sort.startsWith('price') || /^\d{1,13}$/.test(key);

const digestOf = ({ words, category, minPrice, maxPrice, currency, sort }: Search): string =>
  createHash('sha256')
    .update(JSON.stringify([words, category, `${minPrice}`, `${maxPrice ?? ''}`, currency, sort]))
    .digest('base64url')
    .slice(0, 16);
