// A small API server: lists and watches of EndpointSlices as documented, and everything that can go wrong with them.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface SliceObject {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface Asked {
  readonly query: URLSearchParams;
  readonly token: string | undefined;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface ApiServer {
  readonly url: string;
  /** Every request, in order. */
  readonly asked: readonly Asked[];
  /** Watches that are open. */
  readonly watching: number;
  /** Adds or changes slices, each under a version of its own. */
  put(...slices: readonly SliceObject[]): void;
  remove(name: string): void;
  /** Tells all watches the present version. */
  bookmark(): void;
  /** Forgets all versions before the present one. */
  compact(): void;
  /** Takes these tokens only. */
  require(token: string): void;
  /** Sends this to every watch as it is, in pieces when they are several. */
  say(...pieces: readonly (string | Buffer)[]): void;
  /** Ends all watches as the server does when their time is over. */
  end(): void;
  /** Resets every connection. */
  cut(): void;
  /** Handles requests in place of the server, until it is given undefined. */
  instead(handler: Handler | undefined): void;
  /** Nobody listens from now on. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

interface Watching {
  readonly response: ServerResponse;
  readonly matches: (slice: SliceObject) => boolean;
}

interface Change {
  readonly version: number;
  readonly type: string;
  readonly object: SliceObject;
}

const PATH = '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices';

export const status = (code: number, message: string): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code });

export async function apiServer(tls?: { readonly cert: string; readonly key: string }): Promise<ApiServer> {
  const slices = new Map<string, SliceObject>();
  const asked: Asked[] = [];
  const watching = new Set<Watching>();
  let changes: Change[] = [];
  let version = 1000;
  let oldest = 1000;
  let token: string | undefined;
  let instead: Handler | undefined;

  const change = (type: string, slice: SliceObject): void => {
    version += 1;
    const metadata = { ...slice.metadata, resourceVersion: String(version) };
    const object = { ...slice, metadata };
    if (type === 'DELETED') slices.delete(metadata.name);
    else slices.set(metadata.name, object);
    const event = { version, type, object };
    changes.push(event);
    for (const { response, matches } of watching) if (matches(object)) response.write(line(event));
  };

  const list = (query: URLSearchParams, matches: Watching['matches'], response: ServerResponse): void => {
    const all = [...slices.values()].filter(matches);
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? all.length);
    const more = from + limit < all.length ? { continue: String(from + limit) } : {};
    const metadata = { resourceVersion: String(version), ...more };
    const items = all.slice(from, from + limit);
    response.end(JSON.stringify({ kind: 'EndpointSliceList', apiVersion: 'discovery.k8s.io/v1', metadata, items }));
  };

  const watch = (query: URLSearchParams, matches: Watching['matches'], response: ServerResponse): void => {
    const from = Number(query.get('resourceVersion'));
    if (from < oldest) {
      response.writeHead(410).end(status(410, `too old resource version: ${from} (${oldest})`));
      return;
    }
    if (from > version) {
      response.writeHead(504).end(status(504, `Too large resource version: ${from}, current: ${version}`));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    for (const event of changes) if (event.version > from && matches(event.object)) response.write(line(event));
    const one = { response, matches };
    watching.add(one);
    response.on('close', () => watching.delete(one));
  };

  const serve: Handler = (request, response) => {
    const url = new URL(request.url ?? '', 'http://api');
    const bearer = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    asked.push({ query: url.searchParams, token: bearer });
    if (instead !== undefined) return instead(request, response);
    if (token !== undefined && bearer !== token) return void response.writeHead(401).end(status(401, 'Unauthorized'));
    if (url.pathname !== PATH) return void response.writeHead(404).end(status(404, 'the server could not find it'));
    const matches = selector(url.searchParams.get('labelSelector') ?? '');
    if (url.searchParams.get('watch') === '1') watch(url.searchParams, matches, response);
    else list(url.searchParams, matches, response);
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const closed = () => new Promise<void>((resolve) => void server.close(() => resolve()));

  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    asked,
    get watching() {
      return watching.size;
    },
    put: (...given) => {
      for (const slice of given) change(slices.has(slice.metadata.name) ? 'MODIFIED' : 'ADDED', slice);
    },
    remove: (name) => change('DELETED', slices.get(name) as SliceObject),
    bookmark: () => {
      const object = { kind: 'EndpointSlice', metadata: { resourceVersion: String(version) }, endpoints: null };
      for (const { response } of watching) response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    },
    compact: () => {
      oldest = version;
      changes = [];
    },
    require: (wanted) => {
      token = wanted;
    },
    say: (...pieces) => {
      for (const { response } of watching) {
        response.socket?.setNoDelay(true);
        for (const piece of pieces) response.write(piece);
      }
    },
    end: () => {
      for (const { response } of watching) response.end();
      watching.clear();
    },
    cut: () => server.closeAllConnections(),
    instead: (handler) => {
      instead = handler;
    },
    down: async () => {
      const gone = closed();
      server.closeAllConnections();
      await gone;
    },
    up: async () => {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    close: async () => {
      if (!server.listening) return;
      const gone = closed();
      server.closeAllConnections();
      await gone;
    },
  };
}

const line = ({ type, object }: Change): string => `${JSON.stringify({ type, object })}\n`;

/** `kubernetes.io/service-name=a` or `kubernetes.io/service-name in (a,b)`. */
function selector(text: string): (slice: SliceObject) => boolean {
  const [, one, several] = /^kubernetes\.io\/service-name(?:=(.*)| in \((.*)\))$/.exec(text) ?? [];
  const names = new Set((one ?? several ?? '').split(','));
  return ({ metadata }) => names.has(metadata.labels['kubernetes.io/service-name'] ?? '');
}
