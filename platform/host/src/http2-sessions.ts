import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Runtime, Timer } from '@souk/kernel';

export type Http2Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** The connections that speak HTTP/2. Floods of frames, resets and settings are cut off by Node's own limits, which are left as they are. */
export interface Http2Sessions {
  accept(socket: Socket): void;
  /** Tells clients to go elsewhere; what they have begun ends. */
  goAway(): void;
  /** Cuts what is still there. */
  destroy(): void;
}

/** Requests of one connection at once. */
const MAX_STREAMS = 256;
const MAX_HEADER_BYTES = 16_384;
/** What may be under way to us unread: of one request, and of all requests of a connection. */
const STREAM_WINDOW = 256 * 1024;
const SESSION_WINDOW = 1024 * 1024;
const REQUEST_CHECK_MS = 1000;

export function createHttp2Sessions(
  runtime: Runtime,
  limits: { readonly idleMs: number; readonly requestMs: number },
  handler: Http2Handler,
): Http2Sessions {
  const sessions = new Set<ServerHttp2Session>();
  const unfinished = createUnfinishedRequests(runtime, limits.requestMs);
  const server: Http2Server = createServer(
    {
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        maxHeaderListSize: MAX_HEADER_BYTES,
        initialWindowSize: STREAM_WINDOW,
        enablePush: false,
      },
    },
    (request, response) => {
      unfinished.add(request, response);
      handler(request, response);
    },
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.setLocalWindowSize(SESSION_WINDOW);
    closeWhenIdle(session, limits.idleMs);
  });
  // What a broken connection says is the client's affair; without a listener it would end the process.
  server.on('sessionError', () => {});
  return {
    accept: (socket) => void server.emit('connection', socket),
    goAway: () => {
      for (const session of sessions) session.close();
    },
    destroy: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

/** A stream may be silent for long; a connection without any is closed. */
function closeWhenIdle(session: ServerHttp2Session, idleMs: number): void {
  let open = 0;
  session.on('stream', (stream) => {
    open += 1;
    stream.once('close', () => {
      open -= 1;
    });
  });
  session.setTimeout(idleMs, () => {
    if (open === 0) session.close();
  });
}

/** Cuts requests that do not come to their end, unless they are being answered already: a slow sender must not hold work for ever. */
function createUnfinishedRequests(runtime: Runtime, requestMs: number) {
  const since = new Map<Http2ServerResponse, number>();
  let timer: Timer | undefined;
  const check = (): void => {
    const before = runtime.clock.monotonicMs() - requestMs;
    for (const [response, startedMs] of since) {
      if (startedMs > before) break;
      since.delete(response);
      if (!response.headersSent) response.stream?.close(constants.NGHTTP2_CANCEL);
    }
    if (since.size > 0) return;
    timer?.cancel();
    timer = undefined;
  };
  return {
    add: (request: Http2ServerRequest, response: Http2ServerResponse): void => {
      if (request.readableEnded || request.complete) return;
      const leave = (): void => void since.delete(response);
      since.set(response, runtime.clock.monotonicMs());
      request.once('end', leave);
      request.once('close', leave);
      timer ??= runtime.timers.every(REQUEST_CHECK_MS, check);
    },
  };
}
