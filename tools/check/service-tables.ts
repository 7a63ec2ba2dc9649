// Whose table a statement names. Every service has a database of its own, so a statement that names another's works only where they share one.

import { type Literal, literalsOf } from './scanner.ts';
import type { Module, Package, Tree } from './tree.ts';

export interface ForeignUse {
  readonly module: Module;
  readonly offset: number;
  readonly message: string;
}

const CREATED =
  /\bcreate\s+(?:(?:unlogged|temp|temporary|materialized|recursive|or\s+replace)\s+)*(?:table|view|sequence)\s+(?:if\s+not\s+exists\s+)?(?:public\.)?"?([a-z_][a-z0-9_]*)"?(?!\s*\.)/gi;
/** Where a statement names a table; commas and `only` lead to further ones. */
const USED =
  /\b(?:from|join|into|update|truncate(?:\s+table)?|references|using|alter\s+table|drop\s+table|lock\s+table|copy|table)\s+(?:only\s+|if\s+exists\s+)*((?:(?:lateral\s+)?"?[a-z_][a-z0-9_]*"?(?:\s*\.\s*"?[a-z_][a-z0-9_]*"?)?(?:\s+(?:as\s+)?[a-z_][a-z0-9_]*)?\s*,\s*)*"?[a-z_][a-z0-9_]*"?(?:\s*\.\s*"?[a-z_][a-z0-9_]*"?)?)/gi;
/** A name in such a list, not one of another schema and not a function. */
const ITEM = /(?<=^|,\s*)(?:lateral\s+)?(?:"?public"?\s*\.\s*)?"?([a-z_]\w*)"?(?!\w|\s*[.(])/gi;
const EXPRESSION = /\b([a-z_]\w*)\s*(?:\([^()]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s*)?\(/gi;
const STATEMENT = /\b(?:select|insert|update|delete|merge|truncate|alter|create|drop|copy|lock|with)\b/i;
const BEYOND =
  /\b(?:dblink\w*|postgres_fdw|file_fdw|foreign\s+data\s+wrapper|import\s+foreign\s+schema|create\s+foreign\s+table|create\s+server|create\s+subscription|create\s+publication)\b/gi;

/** What statements of services name that is not in their own database. */
export function foreignUses(tree: Tree): ForeignUse[] {
  const modules = tree.modules.filter(({ owner, isTest }) => owner?.kind === 'services' && !isTest);
  const texts = new Map(modules.map((module) => [module, literalsOf(module.source)]));
  const ownersOf = tables(modules, texts);
  const names = tree.packages.filter(({ kind }) => kind === 'services').map(({ dir }) => dir.split('/')[1] as string);
  return modules.flatMap((module) => {
    const own = (texts.get(module) as Literal[]).flatMap((literal) => [
      ...foreignTables(module, literal, ownersOf),
      ...beyond(module, literal),
      ...databases(module, literal, names),
    ]);
    // The text of a template in a template belongs to both.
    return own.filter((one, at) => own.findIndex(({ offset }) => offset === one.offset) === at);
  });
}

/** Owners of tables by name: as made by `create table` and by the tables of projections. */
function tables(modules: readonly Module[], texts: ReadonlyMap<Module, readonly Literal[]>): Map<string, Set<Package>> {
  const owners = new Map<string, Set<Package>>();
  const add = (name: string, owner: Package): void => {
    owners.set(name, (owners.get(name) ?? new Set()).add(owner));
  };
  for (const module of modules) {
    const owner = module.owner as Package;
    for (const { text } of texts.get(module) as readonly Literal[]) {
      for (const match of text.matchAll(CREATED)) add((match[1] as string).toLowerCase(), owner);
    }
    if (!/\bdefineProjection\b/.test(module.code)) continue;
    for (const match of module.code.matchAll(/(?<![\w$.])tables\s*:\s*\[([^\]]*)\]/g)) {
      const start = match.index + match[0].indexOf('[') + 1;
      for (const name of elements(module, start, start + (match[1] as string).length)) add(name, owner);
    }
  }
  return owners;
}

/** Strings of a list, written out or named by a constant of the module. */
function elements(module: Module, from: number, to: number): string[] {
  return module.source
    .slice(from, to)
    .split(',')
    .map((part) => part.trim())
    .flatMap((part) => {
      const value = /^[\w$]+$/.test(part)
        ? new RegExp(String.raw`\bconst\s+${part}\s*(?::[^=]*)?=\s*(['"][\w]+['"])`).exec(module.source)?.[1]
        : part;
      const name = /^['"](\w+)['"]$/.exec(value ?? '')?.[1];
      return name === undefined ? [] : [name];
    });
}

function foreignTables(
  module: Module,
  { from, text }: Literal,
  ownersOf: ReadonlyMap<string, ReadonlySet<Package>>,
): ForeignUse[] {
  if (!STATEMENT.test(text)) return [];
  const owner = module.owner as Package;
  // A common table expression may be called as somebody else's table is.
  const made = new Set([...text.matchAll(EXPRESSION)].map(([, name]) => name?.toLowerCase()));
  return [...text.matchAll(USED)].flatMap((match) => {
    const list = match[1] as string;
    const end = match.index + match[0].length;
    const start = from + end - list.length;
    /** `from session(1)` reads a function; `insert into session (id)` names columns. */
    const isCalled = /^(?:from|join)\b/i.test(match[0]) && /^\s*\(/.test(text.slice(end));
    return [...list.matchAll(ITEM)].flatMap((item): ForeignUse[] => {
      const name = (item[1] as string).toLowerCase();
      const owners = ownersOf.get(name);
      if (owners === undefined || owners.has(owner) || made.has(name)) return [];
      if (isCalled && item.index + item[0].length === list.length) return [];
      const [other] = owners;
      const message = `names ${name}, a table of ${other?.dir}: each service has a database of its own; call that service, or keep what its events say`;
      return [{ module, offset: start + item.index, message }];
    });
  });
}

const beyond = (module: Module, { from, text }: Literal): ForeignUse[] =>
  [...text.matchAll(BEYOND)].map((match) => ({
    module,
    offset: from + match.index,
    message: `${match[0].replace(/\s+/g, ' ')} leads out of the service's own database: call the other service, or hear its events`,
  }));

/** A database by its name, as in an address. */
function databases(module: Module, { from, text }: Literal, services: readonly string[]): ForeignUse[] {
  const own = module.owner?.dir.split('/')[1];
  const others = services.filter((name) => name !== own).map((name) => name.replaceAll('-', '_'));
  if (others.length === 0) return [];
  return [...text.matchAll(new RegExp(String.raw`(?<![\w.])souk_(${others.join('|')})(?!\w)`, 'g'))].map((match) => ({
    module,
    offset: from + match.index,
    message: `names ${match[0]}, the database of another service: call that service, or hear its events`,
  }));
}
