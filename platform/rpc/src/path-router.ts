import { rpcErrors } from './errors.ts';
import type { Segment } from './path-template.ts';

/** Values of the template's fields, decoded, in the order of the template. */
export type PathValues = readonly (readonly [field: string, value: string])[];

export type PathMatch<T> =
  | { readonly kind: 'found'; readonly target: T; readonly values: PathValues }
  /** The path exists, for other verbs. */
  | { readonly kind: 'wrongVerb'; readonly allowed: readonly string[] };

/** Finds what serves a path: a literal segment before a variable one, one before many. */
export interface PathRouter<T> {
  /** @returns False when another target has the same verb and shape. */
  add(verb: string, segments: readonly Segment[], target: T): boolean;
  /** @param path As sent, without the query. @throws RPC_BAD_PATH */
  match(verb: string, path: string): PathMatch<T> | undefined;
}

interface Leaf<T> {
  readonly target: T;
  readonly segments: readonly Segment[];
}

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  one: Node<T> | undefined;
  rest: Node<T> | undefined;
  readonly leaves: Map<string, Leaf<T>>;
}

const newNode = <T>(): Node<T> => ({ literals: new Map(), one: undefined, rest: undefined, leaves: new Map() });

export function createPathRouter<T>(): PathRouter<T> {
  const root = newNode<T>();

  const child = (node: Node<T>, segment: Segment): Node<T> => {
    if (segment.kind !== 'literal') {
      const next = node[segment.kind] ?? newNode<T>();
      node[segment.kind] = next;
      return next;
    }
    const next = node.literals.get(segment.text) ?? newNode<T>();
    node.literals.set(segment.text, next);
    return next;
  };

  return {
    add: (verb, segments, target) => {
      const node = segments.reduce(child, root);
      if (node.leaves.has(verb)) return false;
      node.leaves.set(verb, { target, segments });
      return true;
    },
    match: (verb, path) => {
      const parts = splitPath(path);
      if (parts === undefined) return undefined;
      const allowed = new Set<string>();
      const leaf = find(root, parts, 0, verb, allowed);
      if (leaf !== undefined) return { kind: 'found', target: leaf.target, values: valuesOf(leaf.segments, parts) };
      return allowed.size > 0 ? { kind: 'wrongVerb', allowed: [...allowed].sort() } : undefined;
    },
  };
}

function find<T>(
  node: Node<T>,
  parts: readonly string[],
  at: number,
  verb: string,
  allowed: Set<string>,
): Leaf<T> | undefined {
  if (at === parts.length) return leafOf(node, verb, allowed);
  const part = parts[at] as string;
  const literal = node.literals.get(part);
  const exact = literal && find(literal, parts, at + 1, verb, allowed);
  if (exact !== undefined || part === '') return exact;
  const one = node.one && find(node.one, parts, at + 1, verb, allowed);
  return one ?? (node.rest && leafOf(node.rest, verb, allowed));
}

function leafOf<T>(node: Node<T>, verb: string, allowed: Set<string>): Leaf<T> | undefined {
  const leaf = node.leaves.get(verb);
  if (leaf === undefined) for (const other of node.leaves.keys()) allowed.add(other);
  return leaf;
}

function valuesOf(segments: readonly Segment[], parts: readonly string[]): PathValues {
  const values: [string, string][] = [];
  segments.forEach((segment, index) => {
    if (segment.kind === 'literal' || segment.field === undefined) return;
    values.push([segment.field, segment.kind === 'rest' ? parts.slice(index).join('/') : (parts[index] as string)]);
  });
  return values;
}

/**
 * Decodes each segment once. What different programs read differently is refused: encoded slashes, backslashes, NUL, dot segments.
 * @returns undefined when the path does not begin with a slash
 */
function splitPath(path: string): string[] | undefined {
  if (!path.startsWith('/')) return undefined;
  const parts = path.slice(1).split('/');
  if (path.includes('%')) {
    for (let index = 0; index < parts.length; index++) parts[index] = decodeSegment(parts[index] as string);
  }
  for (const part of parts) {
    if (part === '.' || part === '..' || part.includes('\\')) throw rpcErrors.BAD_PATH();
  }
  return parts;
}

function decodeSegment(part: string): string {
  try {
    const decoded = decodeURIComponent(part);
    if (decoded.includes('/') || decoded.includes('\0')) throw rpcErrors.BAD_PATH();
    return decoded;
  } catch (cause) {
    throw rpcErrors.BAD_PATH({}, { cause });
  }
}
