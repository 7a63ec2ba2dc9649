import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { fromUnknown, type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { hostErrors } from './errors.ts';
import { createHttp2Sessions } from './http2-sessions.ts';
import { createOpenSockets } from './open-sockets.ts';
import { createProtocolSniffer } from './protocol-sniffer.ts';

/** Serves a request of HTTP/1.1 or HTTP/2: `request.httpVersionMajor` says which. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What a connection may turn into, when its client asks for that in the header `Upgrade`. */
export interface UpgradeTarget {
  readonly protocol: string;
  /** The client has been told. @param head What was read of the connection already. */
  accept(socket: Duplex, head: Buffer): void;
  /** Has all its clients go elsewhere, and close their connections. */
  goAway(): void;
}

export interface TlsOptions {
  /** PEM. */
  readonly key: string | Buffer;
  /** PEM, with the certificates in between. */
  readonly cert: string | Buffer;
  /** PEM: who may have signed certificates of clients. */
  readonly ca?: string | Buffer;
  /** Refuses clients without a certificate that `ca` has signed. @default false */
  readonly requestClientCert?: boolean;
}

export interface HttpServerOptions {
  readonly runtime: Runtime;
  /** 0: any free port. */
  readonly port: number;
  /** Address to listen on. */
  readonly host: string;
  /** @default none: cleartext */
  readonly tls?: TlsOptions;
  /** Longest wait for requests under way when stopping, in milliseconds. @default 10000 */
  readonly drainMs?: number;
  /**
   * How long a connection of HTTP/1.1 must have been idle to be closed when stopping, in milliseconds: a client may be sending its next request
   * on it in that moment, and has no way to tell that request from a lost one. @default 0
   */
  readonly idleMs?: number;
  /** Hears of connections that could not be accepted. @default silent */
  readonly log?: Logger;
}

/**
 * An HTTP server in three acts: it takes its port, later it serves, and it finishes what it has begun before it ends. HTTP/1.1 and HTTP/2 share
 * the port: over TLS the client chooses (ALPN), in cleartext its first bytes tell.
 */
export interface HttpServer {
  /** Where it listens, once it does. */
  readonly port: number;
  /**
   * Takes the port. Requests are answered with 503 until there is a handler.
   * @throws HOST_PORT_IN_USE, HOST_PORT_DENIED
   */
  listen(): Promise<void>;
  /** From now on requests go to this handler, and connections that ask for it to `upgrade`. */
  serve(handler: HttpHandler, upgrade?: UpgradeTarget): void;
  /** Takes over a connection that another process has accepted, as if it had come to the port. Nothing must have been read from it. */
  accept(socket: Socket): void;
  /**
   * From now on answers of HTTP/1.1 close their connections, while new ones are still taken, and what was upgraded is told to go: clients that
   * are at work go elsewhere before `drain` closes what is idle, and none meets the end with a request half way.
   */
  retire(): void;
  /**
   * Takes no new connection, lets requests under way end, and cuts what is still there when the time is over. Clients are told to go
   * elsewhere: by `connection: close`, or GOAWAY.
   */
  drain(): Promise<void>;
}

const DRAIN_MS = 10_000;
/** Time a client gets to send its headers and its whole request: a slow sender must not hold a connection for ever. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { runtime, host, tls, log = silentLogger } = options;
  let handler: HttpHandler = answerNotReady;
  let upgrade: UpgradeTarget | undefined;
  let retiring = false;
  let draining = false;
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    noDelay: true,
    // Others are answered as if they had not asked.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      !retiring && upgrade !== undefined && headers.upgrade === upgrade.protocol,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (retiring) response.setHeader('connection', 'close');
    if (request.httpVersionMajor < 2) sockets.busy(request.socket, response);
    handler(request, response);
  };
  const server: Server =
    tls === undefined
      ? createServer(limits, onRequest)
      : createTlsServer({ ...limits, ...secureOptions(tls) }, onRequest);
  const http2 = createHttp2Sessions(
    runtime,
    { idleMs: KEEP_ALIVE_MS, requestMs: REQUEST_TIMEOUT_MS },
    // The classes of HTTP/2 are made to be used as these.
    (request, response) => handler(request as unknown as IncomingMessage, response as unknown as ServerResponse),
  );
  const sniffer = createProtocolSniffer(runtime, HEADERS_TIMEOUT_MS);
  const sockets = createOpenSockets(server, runtime.clock);

  const asHttp1 = takeOver(server, tls === undefined ? 'connection' : 'secureConnection', (socket) => {
    const go = (protocol: 'http1' | 'http2'): void => {
      if (protocol === 'http2') http2.accept(socket);
      else {
        asHttp1(socket);
        socket.resume();
      }
    };
    if (tls === undefined) sniffer.sniff(socket, go);
    else {
      const isHttp2 = (socket as TLSSocket).alpnProtocol === 'h2';
      if (!isHttp2) sockets.silent(socket);
      go(isHttp2 ? 'http2' : 'http1');
    }
  });
  // A broken connection is the client's affair; without listeners these would end the process.
  server.on('clientError', (_error, socket) => answerBadRequest(socket as Socket, tls !== undefined));
  server.on('upgrade', (_request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.upgraded(socket as Socket);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade?.protocol}\r\n\r\n`);
    upgrade?.accept(socket, head);
  });
  server.on('error', (error) => {
    if (server.listening) log.error('a connection could not be accepted', { err: fromUnknown(error) });
  });
  const { drainMs = DRAIN_MS, idleMs = 0 } = options;
  return {
    get port() {
      return (server.address() as AddressInfo | null)?.port ?? options.port;
    },
    listen: () => listen(server, options.port, host),
    serve: (given, target) => {
      handler = given;
      upgrade = target;
    },
    accept: (socket) => {
      if (draining) return void socket.destroy();
      // Begins the watch over slow and idle connections, which otherwise begins with the port.
      if (!server.listening && sockets.size === 0) server.emit('listening');
      server.emit('connection', socket);
    },
    retire: () => {
      retiring = true;
      upgrade?.goAway();
    },
    drain: async () => {
      retiring = true;
      draining = true;
      upgrade?.goAway();
      // The way of HTTP servers closes what is idle at once.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      const quit = (): void => {
        sniffer.closeSilent();
        sockets.closeIdle(idleMs);
        http2.goAway();
      };
      quit();
      // A connection that becomes idle after its last answer is closed here; what is still at work after the drain is cut.
      const idle = runtime.timers.every(IDLE_CHECK_MS, quit);
      const cut = runtime.timers.after(drainMs, () => {
        server.closeAllConnections();
        http2.destroy();
        sockets.destroy();
      });
      await Promise.all([closed, sockets.gone()]);
      idle.cancel();
      cut.cancel();
      // Ends the watch over slow and idle connections.
      server.close();
    },
  };
}

const IDLE_CHECK_MS = 50;

const secureOptions = ({ key, cert, ca, requestClientCert = false }: TlsOptions) => ({
  key,
  cert,
  ...(ca !== undefined && { ca }),
  requestCert: requestClientCert,
  rejectUnauthorized: requestClientCert,
  minVersion: 'TLSv1.2' as const,
  ALPNProtocols: ['h2', 'http/1.1'],
});

/** Puts `taker` in the place of the server's own way with a connection, and gives that back. */
function takeOver(
  server: Server,
  event: 'connection' | 'secureConnection',
  taker: (socket: Socket) => void,
): (socket: Socket) => void {
  const [own] = server.listeners(event) as ((socket: Socket) => void)[];
  if (own === undefined) throw hostErrors.NO_HTTP({ event });
  server.off(event, own);
  server.on(event, taker);
  return (socket) => own.call(server, socket);
}

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

/** Who does not get through the handshake of TLS could not read an answer. */
function answerBadRequest(socket: Socket, isSecure: boolean): void {
  if (socket.writable && !isSecure)
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  else socket.destroy();
}
