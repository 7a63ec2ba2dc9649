import { wordsOf } from './text.ts';

/** Phrases and exclusions mean what they say. */
const EXACT = /"|(^|\s)-/;

/** The words of a search that may be misspelt. */
export const spellable = (words: string): readonly string[] => (EXACT.test(words) ? [] : wordsOf(words));

/** A search with each word replaced by the one that was probably meant. */
export const respell = (words: string, meant: ReadonlyMap<string, string>): string =>
  words
    .split(' ')
    .map((word) => meant.get(wordsOf(word)[0] ?? '') ?? word)
    .join(' ');
