import { fromUnknown, type Timer } from '@souk/kernel';
import { parseFields } from '../http/fields.ts';
import type { RegistryRequest, Reply, Route } from '../http/routes.ts';
import { kvErrors } from '../kv/errors.ts';
import type { KvStore } from '../kv/store.ts';
import type { Module, World } from '../module.ts';
import type { CatalogChange } from '../state/catalog.ts';
import type { Change } from '../state/commits.ts';
import { parseSession, type Session, type SessionRequest, sessionJson } from './session.ts';

export interface Sessions extends Module {
  /** Whether a session lives. */
  has(id: string): boolean;
}

/** A session ends so many times its TTL after it was last renewed. Never before one, and clients may count on two. */
const GRACE = 1.5;
/** An end that could not be written is tried again after so long, in milliseconds. */
const RETRY_MS = 1_000;
const NAME = 'session';

/**
 * Sessions: `PUT /v1/session/{create,destroy,renew}`, `GET /v1/session/{info,list,node}`. One ends when it is destroyed, is not renewed in
 * time, or when its node or one of its checks goes or becomes critical; its locks end with it, in the same change. What can be watched:
 * `session:<id>`, `sessions`, `session-node:<node>`.
 */
export function createSessions(world: World, kv: KvStore): Sessions {
  const { runtime, log, revisions, commits, catalog } = world;
  const { clock } = runtime;
  const sessions = new Map<string, Session>();
  const expiries = new Map<string, { readonly atMs: number; readonly timer: Timer }>();
  let unsubscribe: (() => void) | undefined;

  const onNode = (node: string): Session[] => {
    const wanted = node.toLowerCase();
    return [...sessions.values()].filter((session) => session.node.toLowerCase() === wanted);
  };
  const touch = (session: Session, rev: number): void => {
    revisions.touch('sessions', rev);
    revisions.touch(`session-node:${session.node.toLowerCase()}`, rev);
  };

  const disarm = (id: string): void => {
    expiries.get(id)?.timer.cancel();
    expiries.delete(id);
  };
  const armFor = (id: string, afterMs: number): void => {
    disarm(id);
    if (unsubscribe === undefined) return;
    expiries.set(id, { atMs: clock.monotonicMs() + afterMs, timer: runtime.timers.after(afterMs, () => expire(id)) });
  };
  const arm = ({ id, ttlMs }: Session): void => {
    if (ttlMs > 0) armFor(id, ttlMs * GRACE);
  };

  const end = (change: Change, session: Session): void => {
    sessions.delete(session.id);
    disarm(session.id);
    change.log(NAME, { gone: session.id });
    touch(session, change.rev);
    revisions.retire(`session:${session.id}`, change.rev);
  };
  /** Ends those that still live. */
  const endAll = (change: Change, ids: readonly string[]): void => {
    const ended = ids.flatMap((id) => sessions.get(id) ?? []);
    kv.edit(change, (edit) => {
      for (const { id, behavior, lockDelayMs } of ended) edit.endSession(id, behavior, lockDelayMs);
    });
    for (const session of ended) end(change, session);
  };

  const expire = (id: string): void => {
    const session = sessions.get(id);
    const expiry = expiries.get(id);
    if (session === undefined || expiry === undefined) return;
    // Whoever slept could not be renewed: it was we, not the client.
    if (clock.monotonicMs() - expiry.atMs > session.ttlMs / 3) {
      arm(session);
      return;
    }
    /** A renewal may come while this waits for its turn. */
    const isOver = (): boolean => expiries.get(id) === expiry;
    commits
      .run((change) => endAll(change, isOver() ? [id] : []))
      .catch((thrown) => {
        log.error('a session that is over could not be ended; tried again', { session: id, err: fromUnknown(thrown) });
        if (isOver()) armFor(id, RETRY_MS);
      });
  };

  /** Ends sessions for what has happened to their node or checks, in a change of its own right behind. */
  const endSoon = (lost: readonly Session[]): void => {
    if (lost.length === 0) return;
    const ids = lost.map(({ id }) => id);
    commits
      .run((change) => endAll(change, ids))
      .catch((thrown) => {
        log.error('sessions could not be ended; tried again', { sessions: ids, err: fromUnknown(thrown) });
        if (unsubscribe !== undefined) runtime.timers.after(RETRY_MS, () => endSoon(lost));
      });
  };
  const onChange = (change: CatalogChange): void => {
    if (change.kind === 'node' && change.after === undefined) endSoon(onNode(change.before?.name ?? ''));
    if (change.kind !== 'check' || (change.after !== undefined && change.after.status !== 'critical')) return;
    const { node, id } = change.after ?? change.before ?? { node: '', id: '' };
    endSoon(onNode(node).filter((session) => checksOf(session).includes(id)));
  };
  const isLost = (session: Session): boolean =>
    catalog.node(session.node) === undefined ||
    checksOf(session).some((id) => (catalog.check(session.node, id)?.status ?? 'critical') === 'critical');

  const refuseLost = ({ node, nodeChecks, serviceChecks }: SessionRequest): void => {
    if (catalog.node(node) === undefined) throw kvErrors.NODE_NOT_REGISTERED();
    for (const id of [...nodeChecks, ...serviceChecks]) {
      const check = catalog.check(node, id);
      if (check === undefined) throw kvErrors.CHECK_NOT_REGISTERED({ check: id });
      if (check.status === 'critical') throw kvErrors.CHECK_IS_CRITICAL({ check: id });
    }
  };

  const create = async (request: RegistryRequest): Promise<Reply> => {
    const wanted = parseSession(parseFields(request.body), catalog.self);
    const id = runtime.ids.uuid();
    await commits.run((change) => {
      refuseLost(wanted);
      const { rev } = change;
      const session = { ...wanted, id, createRev: rev, modifyRev: rev };
      sessions.set(id, session);
      change.log(NAME, { session });
      touch(session, rev);
      revisions.touch(`session:${id}`, rev);
      arm(session);
    });
    return { json: { ID: id } };
  };
  const destroy = async (request: RegistryRequest): Promise<Reply> => {
    const id = idOf(request);
    await commits.run((change) => endAll(change, [id]));
    return { json: true };
  };
  const renew = (request: RegistryRequest): Reply => {
    const id = idOf(request);
    const session = sessions.get(id);
    if (session === undefined) throw kvErrors.SESSION_NOT_FOUND({ id });
    arm(session);
    return { json: [sessionJson(session)] };
  };
  const listJson = (some: readonly Session[]): Reply => ({
    json: some.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(sessionJson),
  });

  const routes: Route[] = [
    { method: 'PUT', path: '/v1/session/create', handle: create },
    { method: 'PUT', path: '/v1/session/destroy/:id', handle: destroy },
    { method: 'PUT', path: '/v1/session/renew/:id', handle: renew },
    {
      method: 'GET',
      path: '/v1/session/info/:id',
      resource: (request) => `session:${idOf(request)}`,
      handle: ({ param }) => listJson([sessions.get(param) ?? []].flat()),
    },
    {
      method: 'GET',
      path: '/v1/session/list',
      resource: () => 'sessions',
      handle: () => listJson([...sessions.values()]),
    },
    {
      method: 'GET',
      path: '/v1/session/node/:node',
      resource: ({ param }) => {
        if (param === '') throw kvErrors.MISSING_NODE();
        return `session-node:${param.toLowerCase()}`;
      },
      handle: ({ param }) => listJson(onNode(param)),
    },
  ];

  return {
    routes,
    has: (id) => sessions.has(id),
    persistent: {
      name: NAME,
      save: () => [...sessions.values()],
      load: (data) => {
        for (const session of data as Session[]) sessions.set(session.id, session);
      },
      replay: (entry) => {
        const { session, gone } = entry as { session?: Session; gone?: string };
        if (session !== undefined) sessions.set(session.id, session);
        if (gone !== undefined) sessions.delete(gone);
      },
    },
    start: () => {
      unsubscribe = catalog.subscribe(onChange);
      for (const session of sessions.values()) arm(session);
      endSoon([...sessions.values()].filter(isLost));
    },
    stop: () => {
      unsubscribe?.();
      unsubscribe = undefined;
      for (const id of [...expiries.keys()]) disarm(id);
    },
  };
}

const checksOf = ({ nodeChecks, serviceChecks }: Session): readonly string[] => [...nodeChecks, ...serviceChecks];

function idOf({ param }: RegistryRequest): string {
  if (param === '') throw kvErrors.MISSING_SESSION();
  return param;
}
