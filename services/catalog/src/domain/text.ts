import { catalogErrors } from '../errors.ts';

/** Control characters but line breaks and tabs, and marks that turn the direction of what follows them. */
const REFUSED = /(?![\t\n\r])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u;

/** Text as it is stored: NFC, without blanks around it. @throws CATALOG_TEXT_REFUSED */
export function cleanText(field: string, text: string): string {
  if (!text.isWellFormed() || REFUSED.test(text)) throw catalogErrors.TEXT_REFUSED({ field });
  return text.normalize('NFC').trim();
}

/** Letters of a name that count for its place, so that the place fits into a page token. */
const KEY_LENGTH = 60;

/** What names are sorted by: the beginning, without case and accents. Compared by code point. */
export const nameKey = (name: string): string =>
  Array.from(fold(name).replace(/\s+/gu, ' ')).slice(0, KEY_LENGTH).join('');

const fold = (text: string): string => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

const SHORTEST_WORD = 3;
const LONGEST_WORD = 40;

/** The words of a text that a misspelt one may have meant, each once. */
export function wordsOf(text: string): string[] {
  const found = fold(text).split(/[^\p{L}\p{N}]+/u);
  return [...new Set(found.filter((word) => word.length >= SHORTEST_WORD && word.length <= LONGEST_WORD))];
}

/** `coffee-gear` becomes `Coffee Gear`: the name of a category that nobody named. */
export const titleOf = (slug: string): string =>
  slug.replace(/(^|-)(.)/g, (_, dash, first) => (dash && ' ') + first.toUpperCase());
