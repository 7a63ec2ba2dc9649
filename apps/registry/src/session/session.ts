import type { Fields } from '../http/fields.ts';
import { formatGoDuration, parseGoDuration } from '../http/go-duration.ts';
import { kvErrors } from '../kv/errors.ts';

/** Who holds locks: lives as long as its node and its checks do, and is renewed in time. Never changed in place. */
export interface Session {
  readonly id: string;
  readonly name: string;
  /** Name of the node it is bound to. */
  readonly node: string;
  /** After the session has ended without giving its locks back, nobody gets them for so long, in milliseconds. */
  readonly lockDelayMs: number;
  /** What becomes of the keys it has locked. */
  readonly behavior: 'release' | 'delete';
  /** 0: for ever. */
  readonly ttlMs: number;
  readonly nodeChecks: readonly string[];
  readonly serviceChecks: readonly string[];
  readonly createRev: number;
  readonly modifyRev: number;
}

/** What a client says of a session. */
export type SessionRequest = Omit<Session, 'id' | 'createRev' | 'modifyRev'>;

const DEFAULT_LOCK_DELAY_MS = 15_000;
const MAX_LOCK_DELAY_MS = 60_000;
const MIN_TTL_MS = 10_000;
const MAX_TTL_MS = 86_400_000;
/** The check that every node has. */
const NODE_ALIVE = 'serfHealth';

/** @throws REGISTRY_DECODE_FAILED, REGISTRY_KV_BAD_BEHAVIOR, REGISTRY_KV_BAD_TTL */
export function parseSession(fields: Fields, defaultNode: string): SessionRequest {
  const behavior = fields.text('Behavior') || 'release';
  if (behavior !== 'release' && behavior !== 'delete') throw kvErrors.BAD_BEHAVIOR({ behavior });
  const ttl = fields.text('TTL');
  const ttlMs = ttl === '' ? 0 : parseGoDuration(ttl);
  if (ttlMs === undefined || (ttlMs !== 0 && (ttlMs < MIN_TTL_MS || ttlMs > MAX_TTL_MS)))
    throw kvErrors.BAD_TTL({ ttl });
  const nodeChecks = fields.has('NodeChecks') ? fields.texts('NodeChecks') : undefined;
  return {
    name: fields.text('Name'),
    node: fields.text('Node') || defaultNode,
    lockDelayMs: Math.min(lockDelay(fields.durationMs('LockDelay')), MAX_LOCK_DELAY_MS),
    behavior,
    ttlMs,
    nodeChecks: nodeChecks ?? (fields.has('Checks') ? fields.texts('Checks') : [NODE_ALIVE]),
    serviceChecks: fields.objects('ServiceChecks').map((check) => check.text('ID')),
  };
}

/** Numbers are nanoseconds, but below a thousand of them the client means seconds. */
function lockDelay(ms: number | undefined): number {
  if (ms === undefined || ms < 0) return DEFAULT_LOCK_DELAY_MS;
  return ms > 0 && ms < 0.001 ? Math.round(ms * 1e6) * 1_000 : ms;
}

/** As Consul shows it. */
export const sessionJson = (session: Session): Record<string, unknown> => ({
  ID: session.id,
  Name: session.name,
  Node: session.node,
  LockDelay: session.lockDelayMs * 1e6,
  Behavior: session.behavior,
  TTL: session.ttlMs === 0 ? '' : formatGoDuration(session.ttlMs),
  NodeChecks: session.nodeChecks,
  ServiceChecks: session.serviceChecks.length === 0 ? null : session.serviceChecks.map((ID) => ({ ID, Namespace: '' })),
  CreateIndex: session.createRev,
  ModifyIndex: session.modifyRev,
});
