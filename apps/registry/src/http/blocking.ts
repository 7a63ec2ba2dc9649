import type { Random } from '@souk/kernel';
import { registryErrors } from '../errors.ts';
import type { Revisions } from '../state/revisions.ts';
import { parseGoDuration } from './go-duration.ts';

const DEFAULT_WAIT_MS = 300_000;
const LONGEST_WAIT_MS = 600_000;
/** Clients that start together do not come back together; never more: some give up at a tenth above what they asked for. */
const SPREAD = 1 / 16;

/** What a read asks for beside its data. */
export interface ReadOptions {
  /** It wants to know when the index is above. Undefined: at once. */
  readonly afterIndex: number | undefined;
  readonly waitMs: number;
  readonly consistency: 'leader' | 'stale' | 'consistent';
  readonly cached: boolean;
}

/** @throws REGISTRY_MALFORMED */
export function readOptions(query: URLSearchParams): ReadOptions {
  const stale = query.has('stale');
  if (stale && query.has('consistent')) {
    throw registryErrors.MALFORMED({ what: 'Cannot specify ?stale with ?consistent, conflicting semantics.' });
  }
  const index = query.get('index') ?? '';
  if (!/^\d*$/.test(index)) throw registryErrors.MALFORMED({ what: 'Invalid index' });
  const wait = query.get('wait') ?? '';
  const waitMs = wait === '' ? DEFAULT_WAIT_MS : parseGoDuration(wait);
  if (waitMs === undefined || waitMs < 0) throw registryErrors.MALFORMED({ what: 'Invalid wait time' });
  return {
    afterIndex: Number(index) > 0 ? Number(index) : undefined,
    waitMs: waitMs === 0 ? DEFAULT_WAIT_MS : Math.min(waitMs, LONGEST_WAIT_MS),
    consistency: stale ? 'stale' : query.has('consistent') ? 'consistent' : 'leader',
    cached: query.has('cached'),
  };
}

/** Whether an answer has to wait. An index from another life of the registry says nothing: the client learns ours at once. */
export function mustWait(revisions: Revisions, resource: string, { afterIndex }: ReadOptions): boolean {
  return afterIndex !== undefined && afterIndex <= revisions.current && revisions.indexOf(resource) <= afterIndex;
}

export const spread = (waitMs: number, random: Random): number => waitMs * (1 + random.next() * SPREAD);

export function indexHeaders(index: number, { consistency, cached }: ReadOptions): Record<string, string> {
  return {
    'X-Consul-Index': String(Math.max(1, index)),
    'X-Consul-KnownLeader': 'true',
    'X-Consul-LastContact': '0',
    'X-Consul-Effective-Consistency': consistency,
    ...(cached ? { 'X-Cache': 'MISS' } : {}),
  };
}
