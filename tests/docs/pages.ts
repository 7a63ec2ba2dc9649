// The pages of the repository, and what they point to.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..', '..');

export interface Page {
  /** Relative to the root. */
  readonly path: string;
  readonly text: string;
}

const skipped = new Set(['node_modules', '.git', '.souk', 'coverage']);

/** Every Markdown page of the repository. */
export function readPages(folder = ''): Page[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : readPages(path);
    return entry.isFile() && path.endsWith('.md') ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : [];
  });
}

/** The text without what stands between fences, line by line, so that offsets of lines stay. */
export const withoutFences = (text: string): string =>
  text.replace(/^(```+)[^\n]*\n[\s\S]*?^\1$/gm, (block) => block.replace(/[^\n]/g, ''));

/** Relative targets of links: `[text](target)`. */
export const linksOf = (text: string): string[] =>
  [...withoutFences(text).matchAll(/(?<!!)\[[^\]]*\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] as string)
    .filter((target) => !/^[a-z]+:/.test(target));

const folders = 'contracts|platform|adapters|services|apps|deploy|tests|bench|docs|tools';

/** Paths in backticks that begin at the root, or in `src` or `test` of the page's package. Patterns such as `a/*.ts` are none. */
export const codePathsOf = (text: string): string[] =>
  [...withoutFences(text).matchAll(/`([^`\n]+)`/g)]
    .map((match) => match[1] as string)
    .filter((word) => new RegExp(`^(?:(?:${folders})/[\\w./-]+|(?:src|test)/[\\w./-]+\\.\\w+)$`).test(word));

/** What a page builds as an example is not there: `<!-- example paths: services/reviews … -->`. */
export const examplesOf = (text: string): string[] =>
  [...text.matchAll(/<!-- example paths: ([^>]*) -->/g)].flatMap((match) => (match[1] as string).split(/\s+/));

/** The anchors that GitHub makes of the headings, and those a page sets itself: `<a id="x">`. */
export const anchorsOf = (text: string): string[] => [
  ...[...text.matchAll(/<a id="([^"]+)">/g)].map((match) => match[1] as string),
  ...[...withoutFences(text).matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] as string)
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  ),
];

/** Code between fences of this language, such as `ts`. */
export const samplesOf = (text: string, language: string): string[] =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter((match) => match[1] === language)
    .map((match) => match[2] as string);
