import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Code, fromUnknown, type Logger, type Runtime, type SoukError } from '@souk/kernel';
import { registryErrors } from '../errors.ts';
import type { Revisions } from '../state/revisions.ts';
import { indexHeaders, mustWait, type ReadOptions, readOptions, spread } from './blocking.ts';
import { type BodyCache, createBodyCache, questionOf } from './body-cache.ts';
import { limitConnections } from './connection-limit.ts';
import { type Rendered, render } from './rendering.ts';
import { readBody } from './request-body.ts';
import { createRouter, type Found } from './router.ts';
import type { BlockingRoute, PlainRoute, RegistryRequest, Reply, Route } from './routes.ts';

export interface HttpServerOptions {
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly revisions: Revisions;
  readonly routes: readonly Route[];
  readonly datacenter: string;
  readonly maxConnectionsPerClient: number;
  /** Told of each answer: the pattern of its path, and its status. */
  readonly onAnswer: (path: string, status: number) => void;
}

export interface HttpServer {
  /** @returns where, without a path @throws REGISTRY_CANNOT_LISTEN */
  listen(host: string, port: number): Promise<string>;
  /** Answers those who wait with what there is, and cuts connections. */
  close(): Promise<void>;
  /** Requests that are not answered yet. */
  readonly pending: number;
}

const MAX_BODY = 512 * 1024;
const KEEP_ALIVE_MS = 75_000;
const CACHE_BYTES = 64 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);
/** A reason that is there: to make one costs more than all the rest of an abort. */
const GONE = 'gone';

const STATUS: Readonly<Partial<Record<Code, number>>> = {
  ...{ invalid_argument: 400, out_of_range: 400, unauthenticated: 401, permission_denied: 403, not_found: 404 },
  ...{ already_exists: 409, aborted: 409, resource_exhausted: 429 },
};

/** What all endpoints have in common, so that they are about their own business only. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { runtime, log, revisions, datacenter, onAnswer } = options;
  const router = createRouter(options.routes);
  const cache: BodyCache = createBodyCache(CACHE_BYTES);
  /** Of requests that may have to wait. */
  const waits = new Set<AbortController>();
  let pending = 0;

  /** Aborted when the client hangs up: most requests never ask for it, so it is made late. */
  const signalOf = (response: ServerResponse): AbortSignal => {
    const controller = new AbortController();
    waits.add(controller);
    response.once('close', () => {
      waits.delete(controller);
      if (!response.writableFinished) controller.abort(GONE);
    });
    return controller.signal;
  };

  const readBlocking = async (
    route: BlockingRoute,
    resource: string,
    request: RegistryRequest,
    wanted: ReadOptions,
  ): Promise<Rendered> => {
    if (mustWait(revisions, resource, wanted)) {
      await revisions.wait(
        ...([resource, wanted.afterIndex as number, request.signal] as const),
        spread(wanted.waitMs, runtime.random),
      );
    }
    return readNow(route, resource, request, wanted);
  };

  /** Index and data in one go: nothing can change between them. */
  const readNow = (route: BlockingRoute, resource: string, request: RegistryRequest, wanted: ReadOptions): Rendered => {
    const index = revisions.indexOf(resource);
    const rendered = cache.get(questionOf(request.rawPath, request.query), index, () =>
      render(route.handle(request), request.query.has('pretty')),
    );
    return { ...rendered, headers: { ...rendered.headers, ...indexHeaders(index, wanted) } };
  };

  const finish = (reply: Reply, request: RegistryRequest): Rendered => {
    const rendered = render(reply, request.query.has('pretty'));
    if (reply.index === undefined) return rendered;
    return { ...rendered, headers: { ...rendered.headers, ...indexHeaders(reply.index, readOptions(request.query)) } };
  };

  const serveRoute = (
    route: Route,
    { rawParam, endpoint }: Found,
    message: IncomingMessage,
    response: ServerResponse,
    [rawPath, rawQuery]: readonly [string, string],
  ): Promise<Rendered> | Rendered => {
    const query = new URLSearchParams(rawQuery);
    checkDatacenter(endpoint.path, query, datacenter);
    let signal: AbortSignal | undefined;
    const request = {
      ...{ method: route.method, rawPath, param: decode(rawParam), query, headers: message.headers, body: NOTHING },
      get signal() {
        signal ??= signalOf(response);
        return signal;
      },
    };
    if (route.method === 'GET') return read(route, request);
    const { maxBodyBytes = MAX_BODY } = route as PlainRoute;
    const body = readBody(message, maxBodyBytes);
    return write(route as PlainRoute, request, body);
  };

  const read = (route: Route, request: RegistryRequest): Promise<Rendered> | Rendered => {
    if (route.resource === undefined) return plain(route, request);
    const wanted = readOptions(request.query);
    const resource = route.resource(request);
    if (resource === undefined) return finish(route.handle(request), request);
    if (wanted.afterIndex === undefined) return readNow(route, resource, request, wanted);
    return readBlocking(route, resource, request, wanted);
  };

  const plain = (route: PlainRoute, request: RegistryRequest): Promise<Rendered> | Rendered => {
    const reply = route.handle(request);
    return reply instanceof Promise ? reply.then((done) => finish(done, request)) : finish(reply, request);
  };

  const write = async (
    route: PlainRoute,
    request: { body: Buffer } & Omit<RegistryRequest, 'body'>,
    body: Promise<Buffer> | Buffer,
  ): Promise<Rendered> => {
    request.body = await body;
    return finish(await route.handle(request), request);
  };

  const answer = (
    message: IncomingMessage,
    response: ServerResponse,
    path: string,
    found: Found | undefined,
  ): Promise<Rendered> | Rendered => {
    const { url = '/', method = 'GET' } = message;
    if (path === '/') return render({ text: 'Consul Agent' }, false);
    if (found === undefined) return render({ status: 404 }, false);
    const { allow, routes } = found.endpoint;
    if (method === 'OPTIONS') return render({ headers: { Allow: allow } }, false);
    const route = routes.get(method === 'HEAD' ? 'GET' : method);
    if (route === undefined) {
      return render({ status: 405, text: `method ${method} not allowed`, headers: { Allow: allow } }, false);
    }
    return serveRoute(route, found, message, response, [path, url.slice(path.length + 1)]);
  };

  /** @param pattern Of its path: raw paths hold names of others, and are without end. */
  const refusal = (thrown: unknown, pattern: string): Rendered => {
    const error = fromUnknown(thrown);
    const status = statusOf(error);
    if (status === 500) log.warn('a request failed', { err: error, path: pattern });
    return render({ status, text: error.message }, false);
  };

  const send = (message: IncomingMessage, response: ServerResponse, pattern: string, rendered: Rendered): void => {
    onAnswer(pattern, rendered.status);
    if (response.destroyed) return;
    response.writeHead(rendered.status, { ...rendered.headers, 'content-length': rendered.body.byteLength });
    response.end(message.method === 'HEAD' ? undefined : rendered.body);
  };

  const serve = (message: IncomingMessage, response: ServerResponse): void => {
    const { url = '/' } = message;
    const end = url.indexOf('?');
    const path = end === -1 ? url : url.slice(0, end);
    const found = router.find(path);
    const pattern = found?.endpoint.path ?? 'unknown';
    pending += 1;
    response.once('close', () => {
      pending -= 1;
    });
    try {
      const rendered = answer(message, response, path, found);
      if (!(rendered instanceof Promise)) {
        send(message, response, pattern, rendered);
        return;
      }
      rendered.then(
        (done) => send(message, response, pattern, done),
        (thrown) => send(message, response, pattern, refusal(thrown, pattern)),
      );
    } catch (thrown) {
      send(message, response, pattern, refusal(thrown, pattern));
    }
  };

  const server: Server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, serve);
  limitConnections(server, options.maxConnectionsPerClient, () => onAnswer('connection', 429));
  return {
    get pending() {
      return pending;
    },
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        const refused = (cause: Error & { code?: string }): void =>
          reject(registryErrors.CANNOT_LISTEN({ address: `${host}:${port}`, why: cause.code ?? 'unknown' }, { cause }));
        server.once('error', refused);
        server.listen(port, host, () => {
          server.off('error', refused);
          server.on('error', (error) => log.warn('the HTTP server met an error', { err: fromUnknown(error) }));
          const address = server.address() as AddressInfo;
          const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
          resolve(`http://${name}:${address.port}`);
        });
      }),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const wait of waits) wait.abort(GONE);
      await Promise.race([closed, runtime.timers.sleep(100)]);
      server.closeAllConnections();
      await closed;
    },
  };
}

const statusOf = (error: SoukError): number => error.httpStatus ?? STATUS[error.code] ?? 500;

function decode(rawParam: string): string {
  if (!rawParam.includes('%')) return rawParam;
  try {
    return decodeURIComponent(rawParam);
  } catch {
    throw registryErrors.MALFORMED({ what: 'the path is not percent-encoded UTF-8' });
  }
}

/** There is one datacenter, ours. The agent is always here. */
function checkDatacenter(path: string, query: URLSearchParams, datacenter: string): void {
  const wanted = query.get('dc') ?? '';
  if (wanted === '' || path.startsWith('/v1/agent/') || wanted.toLowerCase() === datacenter.toLowerCase()) return;
  throw registryErrors.NO_DATACENTER();
}
