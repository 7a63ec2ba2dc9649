// What we ship may be used freely: the licence of each production dependency is one of the permissive ones.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LockEntry, readLock } from './lockfile.ts';
import type { Rule } from './rule.ts';

const permissive = new Set(
  'MIT MIT-0 Apache-2.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear ISC 0BSD CC0-1.0 Unlicense BlueOak-1.0.0 Python-2.0 PostgreSQL'.split(
    ' ',
  ),
);

/** Whether an SPDX expression can be met with permissive licences alone. */
export function isPermissive(expression: string): boolean {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const term = (): boolean => {
    if (tokens[at] !== '(') return permissive.has(tokens[at++] ?? '');
    at += 1;
    const inner = anyOf();
    if (tokens[at++] !== ')') return false;
    return inner;
  };
  const allOf = (): boolean => {
    let good = term();
    while (tokens[at] === 'AND') {
      at += 1;
      good = term() && good;
    }
    return good;
  };
  const anyOf = (): boolean => {
    let good = allOf();
    while (tokens[at] === 'OR') {
      at += 1;
      good = allOf() || good;
    }
    return good;
  };
  return anyOf() && at === tokens.length;
}

export const licences: Rule = {
  name: 'licences',
  run: (tree) => {
    const path = 'package-lock.json';
    if (!tree.files.includes(path)) return [];
    return Object.entries(readLock(tree.read(path)))
      .filter(([at, entry]) => at.startsWith('node_modules/') && !entry.link && !entry.dev && !entry.devOptional)
      .map(([at, entry]) => ({ at, licence: licenceOf(tree.root, at, entry) }))
      .filter(({ licence }) => !isPermissive(licence))
      .map(({ at, licence }) => ({
        path,
        line: 0,
        message: `${at} has the licence ${licence}: choose another package`,
      }));
  },
};

function licenceOf(root: string, at: string, entry: LockEntry): string {
  if (entry.license !== undefined) return entry.license;
  const manifest = join(root, at, 'package.json');
  if (!existsSync(manifest)) return '(none)';
  const { license } = JSON.parse(readFileSync(manifest, 'utf8')) as { license?: string | { type?: string } };
  return (typeof license === 'string' ? license : license?.type) ?? '(none)';
}
