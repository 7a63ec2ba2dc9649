// What reads of many entries have in common: which of them, and in which form.

import { registryErrors } from '../errors.ts';
import { compileFilter } from '../filter/filter.ts';
import type { InstanceEntry, NodeEntry } from '../state/catalog.ts';
import { jsonText } from './rendering.ts';
import type { RegistryRequest, Reply } from './routes.ts';
import type { Encoded } from './shapes.ts';

/** The entries that `?filter=` lets through, as a JSON list. */
export function listReply(entries: Iterable<Encoded>, query: URLSearchParams): Reply {
  const passes = filterOf(query);
  const chosen = [...entries].filter(({ shape }) => passes(shape));
  return jsonText(`[${chosen.map(({ json }) => json).join(',')}]`);
}

/** @throws REGISTRY_FILTER_INVALID */
export function filterOf(query: URLSearchParams): (shape: unknown) => boolean {
  const filter = query.get('filter') ?? '';
  return filter === '' ? () => true : compileFilter(filter);
}

/** Those that have every `?tag=`. */
export function tagsOf(query: URLSearchParams): (instance: InstanceEntry) => boolean {
  const wanted = query
    .getAll('tag')
    .filter((tag) => tag !== '')
    .map((tag) => tag.toLowerCase());
  if (wanted.length === 0) return () => true;
  return ({ tags }) => wanted.every((tag) => tags.some((one) => one.toLowerCase() === tag));
}

/** Those on nodes that have every `?node-meta=key:value`. */
export function nodeMetaOf(query: URLSearchParams): (node: NodeEntry | undefined) => boolean {
  const wanted = query.getAll('node-meta').map((pair) => {
    const end = pair.indexOf(':');
    return end === -1 ? ([pair, ''] as const) : ([pair.slice(0, end), pair.slice(end + 1)] as const);
  });
  if (wanted.length === 0) return () => true;
  return (node) => wanted.every(([name, value]) => node !== undefined && node.meta[name] === value);
}

const YES = ['', '1', 't', 'T', 'TRUE', 'true', 'True'];
const NO = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** A switch of the query; bare means on. @throws REGISTRY_MALFORMED */
export function switchOf(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null || NO.includes(value)) return false;
  if (YES.includes(value)) return true;
  throw registryErrors.MALFORMED({ what: `Invalid value for ?${name}` });
}

/** The parameter of the path. @throws REGISTRY_MALFORMED `Missing ...` */
export function required({ param }: RegistryRequest, what: string): string {
  if (param === '') throw registryErrors.MALFORMED({ what: `Missing ${what}` });
  return param;
}
