// Finds what a module imports. Reads text instead of a syntax tree: TypeScript 7 has no stable programming interface.

export interface Import {
  readonly specifier: string;
  readonly offset: number;
  /**
   * - `value`: loaded when the module is
   * - `type`: gone at run time
   * - `dynamic`: loaded when the line runs
   */
  readonly kind: 'value' | 'type' | 'dynamic';
  /** The imported names as written, empty for a side effect, a namespace or a dynamic import. */
  readonly names: readonly string[];
}

const clause = String.raw`(?:[\w$]+\s*,?\s*)?(?:\{[^{}]*\}|\*\s*as\s+[\w$]+|\*)?`;
const patterns = [
  // import x, { y } from '…'   import type …   export { y } from '…'   export * from '…'
  new RegExp(
    String.raw`(?<![\w$.])(?:import|export)\s+(?<type>type\s+(?!from\b))?(?<clause>${clause})\s*from\s*(?<quote>['"])`,
    'g',
  ),
  /(?<![\w$.])(?:import|export)(?<type>\s+type)?(?<clause>\s*\{[^{}]*\}|\s*\*)\s*from\s*(?<quote>['"])/g,
  /(?<![\w$.])import\s*(?<quote>['"])/g,
  /(?<![\w$.])(?<typeof>typeof\s+)?(?<call>import|require)\s*\(\s*(?<quote>['"`])/g,
];

/** `code` is `codeOnly(source)`. In order of appearance. */
export function findImports(source: string, code: string): Import[] {
  const found = new Map<number, Import>();
  for (const pattern of patterns) {
    for (const match of code.matchAll(pattern)) {
      const groups = match.groups ?? {};
      const start = match.index + match[0].length;
      const end = code.indexOf(groups.quote as string, start);
      if (end === -1 || found.has(start)) continue;
      const specifier = source.slice(start, end);
      if (specifier.includes('${')) continue;
      const names = namesOf(groups.clause ?? '');
      let kind: Import['kind'] = groups.type === undefined ? 'value' : 'type';
      if (groups.call !== undefined) kind = groups.typeof === undefined ? 'dynamic' : 'type';
      found.set(start, { specifier, offset: match.index, kind, names });
    }
  }
  return [...found.values()].sort((a, b) => a.offset - b.offset);
}

function namesOf(text: string): string[] {
  const braces = /\{([^{}]*)\}/.exec(text)?.[1] ?? '';
  return braces
    .split(',')
    .map((name) => name.trim().replace(/^type\s+/, ''))
    .filter((name) => name !== '')
    .map((name) => name.split(/\s+as\s+/)[0] as string);
}
