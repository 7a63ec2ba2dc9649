// An error's reason names one error in the whole system: no two packages define the same.

import { lineAt, type Rule, type Violation } from './rule.ts';
import { depths } from './scanner.ts';
import type { Module } from './tree.ts';

interface Reason {
  readonly reason: string;
  readonly module: Module;
  readonly offset: number;
}

export const catalogues: Rule = {
  name: 'catalogues',
  run: (tree) => {
    const first = new Map<string, Reason>();
    return tree.modules
      .filter((module) => module.owner !== undefined && !module.isTest)
      .flatMap(reasons)
      .flatMap((found): Violation[] => {
        const other = first.get(found.reason);
        if (other === undefined) {
          first.set(found.reason, found);
          return [];
        }
        const { module, offset, reason } = found;
        return [
          {
            path: module.path,
            line: lineAt(module.source, offset),
            message: `${reason} is defined in ${other.module.path} too: choose another prefix or key`,
          },
        ];
      });
  },
};

/** The reasons a module defines: the keys of each `defineErrors('PREFIX', { … })`. */
function reasons(module: Module): Reason[] {
  const { source, code } = module;
  return [...code.matchAll(/(?<![\w$.])defineErrors\s*\(\s*(['"])/g)].flatMap((match) => {
    const start = match.index + match[0].length;
    const prefix = source.slice(start, code.indexOf(match[1] as string, start));
    const body = code.indexOf('{', start);
    if (body === -1) return [];
    const depth = depths(code);
    let end = body + 1;
    while (end < code.length && (depth[end] as number) > (depth[body] as number)) end += 1;
    return [...code.slice(body, end).matchAll(/(?<=[{,]\s*)([A-Z][A-Z0-9_]*)\s*:/g)]
      .map((key) => ({ reason: `${prefix}_${key[1]}`, module, offset: body + key.index }))
      .filter(({ offset }) => depth[offset] === (depth[body] as number) + 1);
  });
}
