import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { fromUnknown, type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { hostErrors } from './errors.ts';

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface HttpServerOptions {
  readonly runtime: Runtime;
  /** 0: any free port. */
  readonly port: number;
  /** Address to listen on. */
  readonly host: string;
  /** Longest wait for requests under way when stopping, in milliseconds. @default 10000 */
  readonly drainMs?: number;
  /** Hears of connections that could not be accepted. @default silent */
  readonly log?: Logger;
}

/** An HTTP server in three acts: it takes its port, later it serves, and it finishes what it has begun before it ends. */
export interface HttpServer {
  /** Where it listens, once it does. */
  readonly port: number;
  /**
   * Takes the port. Requests are answered with 503 until there is a handler.
   * @throws HOST_PORT_IN_USE, HOST_PORT_DENIED
   */
  listen(): Promise<void>;
  /** From now on requests go to this handler. */
  serve(handler: HttpHandler): void;
  /** Takes no new connection, lets requests under way end, and cuts what is still there when the time is over. */
  drain(): Promise<void>;
}

const DRAIN_MS = 10_000;
/** Time a client gets to send its headers and its whole request: a slow sender must not hold a connection for ever. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { runtime, host, log = silentLogger } = options;
  let handler: HttpHandler = answerNotReady;
  let draining = false;
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    },
    (request, response) => {
      if (draining) response.setHeader('connection', 'close');
      handler(request, response);
    },
  );
  // A broken connection is the client's affair; without listeners these would end the process.
  server.on('clientError', (_error, socket) => answerBadRequest(socket as Socket));
  server.on('error', (error) => {
    if (server.listening) log.error('a connection could not be accepted', { err: fromUnknown(error) });
  });
  const drainMs = options.drainMs ?? DRAIN_MS;
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    listen: () => listen(server, options.port, host),
    serve: (given) => {
      handler = given;
    },
    drain: async () => {
      draining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // A connection that becomes idle after its last answer is closed here; what is still at work after the drain is cut.
      const idle = runtime.timers.every(IDLE_CHECK_MS, () => server.closeIdleConnections());
      const cut = runtime.timers.after(drainMs, () => server.closeAllConnections());
      await closed;
      idle.cancel();
      cut.cancel();
    },
  };
}

const IDLE_CHECK_MS = 50;

const NOT_READY = JSON.stringify({
  type: 'urn:souk:error:HOST_NOT_READY',
  title: 'Service Unavailable',
  status: 503,
  detail: 'the shop is starting or stopping',
  code: 'HOST_NOT_READY',
});

function answerNotReady(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' }).end(NOT_READY);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') reject(hostErrors.PORT_IN_USE({ port }, { cause }));
      else if (cause.code === 'EACCES') reject(hostErrors.PORT_DENIED({ port }, { cause }));
      else reject(cause);
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function answerBadRequest(socket: Socket): void {
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  else socket.destroy();
}
