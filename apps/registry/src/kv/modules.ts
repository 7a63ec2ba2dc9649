import type { Module, World } from '../module.ts';
import { createSessions } from '../session/sessions.ts';
import { txnRoutes } from '../txn/txn-routes.ts';
import { kvRoutes } from './kv-routes.ts';
import { createKvStore } from './store.ts';

/** Keys and values, the sessions that lock them, and transactions over them. */
export function createKvModules(world: World): Module[] {
  const { runtime, revisions, commits } = world;
  const kv = createKvStore({ revisions, clock: runtime.clock });
  const sessions = createSessions(world, kv);
  const parts = { kv, commits, hasSession: sessions.has };
  return [{ routes: [...kvRoutes(parts), ...txnRoutes(parts)], persistent: kv.persistent }, sessions];
}
