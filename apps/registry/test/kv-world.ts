import { type Runtime, silentLogger, type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import { putOwnNode } from '../src/agent/own-node.ts';
import { createEvents } from '../src/event/events.ts';
import { createHttpServer } from '../src/http/http-server.ts';
import { createRouter } from '../src/http/router.ts';
import type { RegistryRequest, Reply } from '../src/http/routes.ts';
import { createKvModules } from '../src/kv/modules.ts';
import type { Module, World } from '../src/module.ts';
import { type CatalogStore, createCatalogStore } from '../src/state/catalog-store.ts';
import { createGroupCommit, type LogEntry } from '../src/state/group-commit.ts';
import { createRevisions } from '../src/state/revisions.ts';

/** Keys, sessions, transactions and events over a catalog that has the registry's own node. */
export interface KvWorld {
  readonly world: World;
  readonly catalog: CatalogStore;
  readonly modules: readonly Module[];
  /** What was logged, change by change. */
  readonly logged: (readonly LogEntry[])[];
}

export function createKvWorld(runtime: Runtime, delayMs = 0): KvWorld {
  const revisions = createRevisions({ timers: runtime.timers });
  const logged: (readonly LogEntry[])[] = [];
  const journal = {
    append: (_: number, entries: readonly LogEntry[]) => void logged.push(entries),
    sync: async () => {},
  };
  const commits = createGroupCommit({ runtime, revisions, log: silentLogger, delayMs, journal });
  const catalog = createCatalogStore({ revisions, self: 'self' });
  const change = { rev: revisions.next(), log: () => {} };
  putOwnNode(catalog, change, { nodeName: 'self', address: '127.0.0.1', datacenter: 'dc1' } as never, 'node-id');
  const world = { runtime, log: silentLogger, revisions, commits, catalog, datacenter: 'dc1', nodeName: 'self' };
  const modules = [...createKvModules(world), createEvents(world)];
  return { world, catalog, modules, logged };
}

/** Calls endpoints without a network, in virtual time. */
export interface VirtualKv extends KvWorld {
  readonly runtime: VirtualRuntime;
  /** Answers when the endpoint has; time goes on by the commit delay, which is none unless it was given. */
  call(method: 'GET' | 'PUT' | 'DELETE', url: string, body?: string | Buffer): Promise<Reply>;
  /** The index the server would send. */
  index(url: string): number;
}

export function virtualKv(delayMs = 0): VirtualKv {
  const runtime = virtualRuntime();
  const kv = createKvWorld(runtime, delayMs);
  for (const module of kv.modules) module.start?.();
  const router = createRouter(kv.modules.flatMap(({ routes }) => routes));

  const prepare = (method: string, url: string, body: string | Buffer = '') => {
    const [path = '', query] = url.split('?');
    const found = router.find(path);
    const route = found?.endpoint.routes.get(method);
    if (found === undefined || route === undefined) throw new Error(`no route for ${method} ${path}`);
    const request: RegistryRequest = {
      method,
      rawPath: path,
      param: decodeURIComponent(found.rawParam),
      query: new URLSearchParams(query),
      headers: {},
      body: Buffer.from(body),
      signal: new AbortController().signal,
    };
    return { route, request };
  };
  return {
    ...kv,
    runtime,
    call: async (method, url, body) => {
      const { route, request } = prepare(method, url, body);
      route.resource?.(request);
      const reply = Promise.resolve().then(() => route.handle(request));
      // Whoever awaits it sees the error.
      reply.catch(() => {});
      await runtime.advance(delayMs);
      return reply;
    },
    index: (url) => {
      const { route, request } = prepare('GET', url);
      return kv.world.revisions.indexOf(route.resource?.(request) ?? '');
    },
  };
}

/** The same over HTTP, in real time. */
export async function servedKv(runtime: Runtime, delayMs = 0) {
  const kv = createKvWorld(runtime, delayMs);
  for (const module of kv.modules) module.start?.();
  const server = createHttpServer({
    runtime,
    log: silentLogger,
    revisions: kv.world.revisions,
    routes: kv.modules.flatMap(({ routes }) => routes),
    datacenter: 'dc1',
    maxConnectionsPerClient: 200,
    onAnswer: () => {},
  });
  const base = await server.listen('127.0.0.1', 0);
  const close = async (): Promise<void> => {
    for (const module of kv.modules) module.stop?.();
    await server.close();
  };
  return { ...kv, base, port: Number(new URL(base).port), close };
}
