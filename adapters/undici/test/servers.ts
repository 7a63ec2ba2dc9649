import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Context, rootContext, systemRuntime } from '@souk/kernel';
import {
  CHANNEL_PROTOCOL,
  type ChannelServer,
  type Client,
  createChannelServer,
  createClient,
  createHttpHandler,
  createRouter,
  type InstanceTransport,
  type Transport,
} from '@souk/rpc';
import { silentTelemetry } from '@souk/telemetry';
import { createHttpTransport, type HttpTransportOptions, type Target } from '../src/index.ts';
import { type EchoHandlers, EchoService, echoHandlers } from './echo.ts';

const runtime = systemRuntime();
export const telemetry = silentTelemetry(runtime);

export interface TestServer extends AsyncDisposable {
  readonly target: Target;
  readonly server: Server;
}

/** Any server over HTTP, on a port of its own. */
export async function serve(listener: RequestListener, tls?: ServerOptions): Promise<TestServer> {
  const server = tls === undefined ? createServer(listener) : (createTlsServer(tls, listener) as unknown as Server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    target: { address: '127.0.0.1', port, protocol: tls === undefined ? 'http' : 'https' },
    server,
    [Symbol.asyncDispose]: () => stop(server),
  };
}

export async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** Our own server; every caller is a service. */
export const echoListener = (own: Partial<EchoHandlers> = {}): RequestListener => createHttpHandler(doorOf(own));

function doorOf(own: Partial<EchoHandlers>) {
  const router = createRouter({ runtime, telemetry });
  router.add(EchoService, echoHandlers(own));
  return { router, runtime, telemetry, authenticate: async () => ({ roles: [], service: 'test' }) };
}

export interface ChannelTestServer extends TestServer {
  readonly channels: ChannelServer;
  /** Connections that were made, and requests of HTTP that came. */
  readonly seen: { connections: number; requests: number };
}

/** Our own server, which also offers channels. */
export async function serveChannels(own: Partial<EchoHandlers> = {}, tls?: ServerOptions): Promise<ChannelTestServer> {
  const door = doorOf(own);
  const channels = createChannelServer(door);
  const listener = createHttpHandler(door);
  const seen = { connections: 0, requests: 0 };
  const running = await serve((request, response) => {
    seen.requests++;
    listener(request, response);
  }, tls);
  const sockets = new Set<Duplex>();
  running.server.on(tls === undefined ? 'connection' : 'secureConnection', () => seen.connections++);
  running.server.on('upgrade', (_request, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    acceptUpgrade(socket);
    channels.accept(socket, head);
  });
  return {
    ...running,
    channels,
    seen,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return stop(running.server);
    },
  };
}

export const acceptUpgrade = (socket: Duplex): void =>
  void socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${CHANNEL_PROTOCOL}\r\n\r\n`);

export const serveEcho = (own: Partial<EchoHandlers> = {}, tls?: ServerOptions): Promise<TestServer> =>
  serve(echoListener(own), tls);

/** Says what it is told to, whatever it is asked. */
export async function serveBytes(
  onData: (socket: Socket, chunk: Buffer) => void,
): Promise<AsyncDisposable & { target: Target }> {
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => onData(socket, chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    target: { address: '127.0.0.1', port, protocol: 'http' },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface TestClient extends AsyncDisposable {
  readonly transport: InstanceTransport;
  readonly echo: Client<typeof EchoService>;
  readonly ctx: Context;
}

export function clientOf(transport: Transport): Client<typeof EchoService> {
  return createClient(EchoService, transport, { runtime, telemetry });
}

/** Over HTTP alone, unless the options say otherwise. */
export function connectTo(target: Target, options: Partial<HttpTransportOptions> = {}): TestClient {
  const transport = createHttpTransport({ runtime, channels: false, ...options }).to(target);
  return {
    transport,
    echo: clientOf(transport),
    ctx: rootContext({ runtime, timeoutMs: 60_000 }),
    [Symbol.asyncDispose]: () => transport.close(),
  };
}

export const reasonOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: { reason?: string }) => error.reason ?? String(error),
  );
