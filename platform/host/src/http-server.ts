import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Part, Runtime } from '@souk/kernel';
import { hostErrors } from './errors.ts';

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

export interface HttpServerOptions {
  readonly runtime: Runtime;
  readonly handler: HttpHandler;
  /** 0: any free port. */
  readonly port: number;
  /** Address to listen on. */
  readonly host: string;
  /** Longest wait for requests under way when stopping, in milliseconds. @default 10000 */
  readonly drainMs?: number;
}

/** An HTTP server that finishes what it has begun before it stops. */
export interface HttpServer extends Part {
  /** Where it listens, once started. */
  readonly port: number;
}

const DRAIN_MS = 10_000;
/** Time a client gets to send its headers and its whole request: a slow sender must not hold a connection for ever. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { runtime, host } = options;
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
    },
    options.handler,
  );
  const drainMs = options.drainMs ?? DRAIN_MS;
  return {
    name: 'http server',
    stopTimeoutMs: drainMs + 1000,
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    start: () => listen(server, options.port, host),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // A connection that becomes idle after its last answer is closed here; what is still at work after the drain is cut.
      const idle = runtime.timers.every(50, () => server.closeIdleConnections());
      const cut = runtime.timers.after(drainMs, () => server.closeAllConnections());
      await closed;
      idle.cancel();
      cut.cancel();
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EADDRINUSE') reject(hostErrors.PORT_IN_USE({ port }, { cause }));
      else if (cause.code === 'EACCES') reject(hostErrors.PORT_DENIED({ port }, { cause }));
      else reject(cause);
    };
    server.once('error', onError);
    // A broken connection is the client's affair; without a listener it would end the process.
    server.on('clientError', (_error, socket) => answerBadRequest(socket as Socket));
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
