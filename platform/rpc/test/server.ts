import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Caller, systemRuntime } from '@souk/kernel';
import { rpcErrors } from '../src/errors.ts';
import { createHttpHandler, createRouter, type HttpHandlerOptions, type Router } from '../src/index.ts';
import { type ShopHandlers, ShopService, shopHandlers } from './shop.ts';
import { type RecordedTelemetry, recordTelemetry } from './telemetry.ts';
import { type WatchHandlers, WatchService, watchHandlers } from './watch.ts';

export interface TestServer extends RecordedTelemetry, AsyncDisposable {
  readonly url: string;
  readonly server: Server;
}

/** `Bearer anna` is anna, `Bearer admin` an administrator, `Bearer stale` is refused, nothing is nobody. */
const authenticate = async (headers: { authorization?: string | undefined }): Promise<Caller> => {
  const name = headers.authorization?.slice('Bearer '.length);
  if (name === undefined) return { roles: [] };
  if (name === 'stale') throw rpcErrors.UNAUTHENTICATED();
  return { userId: name, roles: name === 'admin' ? ['admin'] : [] };
};

type ServeOptions = Partial<HttpHandlerOptions> & { maxTimeoutMs?: number };

/** The shop behind HTTP, on a port of its own. */
export const serveShop = (own: Partial<ShopHandlers> = {}, options: ServeOptions = {}): Promise<TestServer> =>
  serve((router) => router.add(ShopService, shopHandlers(own)), options);

/** Every kind of method behind HTTP, on a port of its own. */
export const serveWatch = (own: Partial<WatchHandlers> = {}, options: ServeOptions = {}): Promise<TestServer> =>
  serve((router) => router.add(WatchService, watchHandlers(own)), options);

async function serve(fill: (router: Router) => void, options: ServeOptions): Promise<TestServer> {
  const runtime = systemRuntime();
  const recorded = recordTelemetry();
  const { telemetry } = recorded;
  const router = createRouter({ runtime, telemetry, maxTimeoutMs: options.maxTimeoutMs ?? 5000 });
  fill(router);
  const server = createServer(createHttpHandler({ router, runtime, telemetry, authenticate, ...options }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    ...recorded,
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
