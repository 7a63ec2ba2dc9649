import { createServer as createHttp1Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { type Caller, silentLogger, systemRuntime } from '@souk/kernel';
import { createHttpHandler, createRouter, type HttpHandlerOptions, type Router, rpcErrors } from '@souk/rpc';
import type { Telemetry } from '@souk/telemetry';
import { addGrpcHealth, addGrpcReflection, grpcHandler } from '../src/index.ts';
import { type EchoHandlers, EchoService, echoHandlers } from './echo.ts';

export interface EchoServer extends AsyncDisposable {
  /** `127.0.0.1:1234`, over HTTP/2 in cleartext. */
  readonly http2: string;
  /** The same over HTTP/1.1. */
  readonly http1: string;
  readonly router: Router;
}

const nothing = { add: () => {}, set: () => {}, observe: () => {} };

export const telemetry: Telemetry = {
  service: 'test',
  log: silentLogger,
  metrics: { counter: () => nothing, gauge: () => nothing, histogram: () => nothing, onCollect: () => {} },
  tracer: {
    start: (ctx) => ({ trace: ctx.trace, set: () => {}, event: () => {}, fail: () => {}, end: () => {} }),
    run: (ctx, _name, _options, work) => work(ctx, undefined as never),
  },
};

/** `Bearer anna` is anna, `Bearer stale` is refused, nothing is nobody; `orders` in the header `test-service` is a service. */
const authenticate: HttpHandlerOptions['authenticate'] = async (headers): Promise<Caller> => {
  if (headers['test-service'] !== undefined) return { roles: [], service: String(headers['test-service']) };
  const name = headers.authorization?.slice('Bearer '.length);
  if (name === undefined) return { roles: [] };
  if (name === 'stale') throw rpcErrors.UNAUTHENTICATED();
  return { userId: name, roles: [] };
};

export interface EchoOptions extends Partial<HttpHandlerOptions> {
  readonly isServing?: () => boolean;
  readonly maxMessageBytes?: number;
}

/** The echo behind gRPC, gRPC-Web and Connect, with health and reflection. */
export async function serveEcho(own: Partial<EchoHandlers> = {}, options: EchoOptions = {}): Promise<EchoServer> {
  const runtime = systemRuntime();
  const router = createRouter({ runtime, telemetry });
  router.add(EchoService, echoHandlers(own));
  addGrpcHealth({ router, runtime, isServing: options.isServing ?? (() => true), watchEveryMs: 10 });
  addGrpcReflection({ router });
  const { maxMessageBytes = 1_048_576 } = options;
  const framings = [grpcHandler({ router, maxMessageBytes })];
  const handler = createHttpHandler({ router, runtime, telemetry, authenticate, framings, ...options });
  const one = createHttp1Server(handler);
  const two = createHttp2Server((request, response) => handler(request as never, response as never));
  const sessions = new Set<{ destroy(): void }>();
  two.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  return {
    http1: await listen(one),
    http2: await listen(two),
    router,
    [Symbol.asyncDispose]: async () => {
      one.closeAllConnections();
      for (const session of sessions) session.destroy();
      await Promise.all([one, two].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
