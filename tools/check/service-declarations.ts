// What services declare, read from their text: whom they serve, call, tell and hear.

import { posix } from 'node:path';
import { depths } from './scanner.ts';
import { isRelative, type Module, type Package, type Tree } from './tree.ts';

/** A name in a declaration. */
export interface Named {
  readonly module: Module;
  readonly offset: number;
  readonly name: string;
  /** `@souk/contracts/orders/v1/events#OrderPlacedSchema`; undefined where its import was not found. */
  readonly key: string | undefined;
}

export interface Declaration {
  readonly service: Package;
  readonly module: Module;
  readonly offset: number;
  readonly serves: readonly Named[];
  readonly calls: readonly Named[];
  readonly publishes: readonly Named[];
  readonly consumes: readonly Named[];
  /** Members that are not written out where this can read them. */
  readonly unread: readonly string[];
}

interface Text {
  readonly module: Module;
  readonly from: number;
  readonly to: number;
}

const MEMBERS = ['serves', 'calls', 'publishes', 'consumes'] as const;
/** A contract or an event, wherever it is in the value; events that are heard only as the first argument of `on`. */
const NAMES: Readonly<Record<(typeof MEMBERS)[number], RegExp>> = {
  serves: /(?<![\w$.])([A-Z][\w$]*)/g,
  calls: /(?<![\w$.])([A-Z][\w$]*)/g,
  publishes: /(?<![\w$.])([A-Z][\w$]*)/g,
  consumes: /(?<![\w$.])on\s*\(\s*([A-Z][\w$]*)/g,
};

/** Every `defineService({ … })` of the services, tests left out. */
export function readDeclarations(tree: Tree): Declaration[] {
  return tree.modules
    .filter(({ owner, isTest }) => owner?.kind === 'services' && !isTest)
    .flatMap((module) =>
      [...module.code.matchAll(/(?<![\w$.])defineService\s*\(\s*\{/g)].map((match) =>
        readDeclaration(tree, module, match.index, match.index + match[0].length - 1),
      ),
    );
}

function readDeclaration(tree: Tree, module: Module, offset: number, brace: number): Declaration {
  const unread: string[] = [];
  const found = MEMBERS.map((member) => {
    const text = memberOf(tree, module, brace, member);
    if (text === 'absent') return [];
    if (text === undefined) {
      unread.push(member);
      return [];
    }
    return namesIn(text, NAMES[member]);
  });
  const [serves = [], calls = [], publishes = [], consumes = []] = found;
  return { service: module.owner as Package, module, offset, serves, calls, publishes, consumes, unread };
}

/** The value of a member of the object that opens at `brace`, followed to where it is written out. */
function memberOf(tree: Tree, module: Module, brace: number, member: string): Text | 'absent' | undefined {
  const depth = depths(module.code);
  const inner = (depth[brace] as number) + 1;
  const end = endOf(module.code, depth, brace + 1, inner);
  const pattern = new RegExp(String.raw`(?<=[{,]\s*)${member}\s*(:|,|(?=\}))`, 'g');
  const match = [...module.code.slice(brace, end + 1).matchAll(pattern)].find(
    ({ index }) => depth[brace + index] === inner,
  );
  if (match === undefined) return 'absent';
  if (match[1] !== ':') return constant(tree, module, member);
  const from = brace + match.index + match[0].length;
  return written(tree, { module, from, to: valueEnd(module.code, depth, from, inner, end) });
}

/** A list or an object written out, or the constant that is one. */
function written(tree: Tree, text: Text): Text | undefined {
  const value = text.module.code.slice(text.from, text.to).trim();
  if (/^[[{]/.test(value)) return text;
  return /^[\w$]+$/.test(value) ? constant(tree, text.module, value) : undefined;
}

function constant(tree: Tree, module: Module, name: string): Text | undefined {
  const here = new RegExp(String.raw`(?<![\w$.])const\s+${name}\s*(?::[^=]*)?=\s*`).exec(module.code);
  if (here !== null) {
    const from = here.index + here[0].length;
    const depth = depths(module.code);
    return /[[{]/.test(module.code[from] ?? '')
      ? { module, from, to: endOf(module.code, depth, from + 1, (depth[from] as number) + 1) + 1 }
      : undefined;
  }
  const path = module.imports.find(({ specifier, names }) => isRelative(specifier) && names.includes(name))?.specifier;
  if (path === undefined) return undefined;
  const target = posix.join(posix.dirname(module.path), path);
  const other = tree.modules.find((one) => one.path === target);
  return other === undefined ? undefined : constant(tree, other, name);
}

function namesIn({ module, from, to }: Text, pattern: RegExp): Named[] {
  return [...module.code.slice(from, to).matchAll(pattern)].map((match) => {
    const name = match[1] as string;
    return { module, offset: from + match.index, name, key: keyOf(module, name) };
  });
}

/** Where an imported name comes from. */
export function keyOf(module: Module, name: string): string | undefined {
  const specifier = module.imports.find(({ names }) => names.includes(name))?.specifier;
  return specifier === undefined ? undefined : `${specifier}#${name}`;
}

/** The offset of the bracket that closes what is open at `inner`. */
function endOf(code: string, depth: Uint16Array, from: number, inner: number): number {
  let at = from;
  while (at < code.length && (depth[at] as number) >= inner) at += 1;
  return at;
}

function valueEnd(code: string, depth: Uint16Array, from: number, inner: number, end: number): number {
  let at = from;
  while (at < end && !(code[at] === ',' && depth[at] === inner)) at += 1;
  return at;
}
