import { Http2SessionManager } from '@connectrpc/connect-node';
import { createDeadlines, type InstanceTransport, rpcErrors } from '@souk/rpc';
import { type ExchangeShared, GrpcExchange } from './grpc-exchange.ts';
import type { GrpcTransportOptions } from './options.ts';

const MAX_MESSAGE_BYTES = 16_777_216;
const PING_EVERY_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;
const IDLE_MS = 300_000;
/** What may be under way to us of one call, unread. */
const STREAM_WINDOW = 256 * 1024;

/**
 * Carries calls of every kind by gRPC over one HTTP/2 connection, which is made when it is first used and again when it is lost. Streams
 * flow no faster than they are read.
 */
export function createGrpcTransport(options: GrpcTransportOptions): InstanceTransport {
  const { baseUrl, runtime, headers, tls = {}, pingEveryMs = PING_EVERY_MS } = options;
  const secure = Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
  const sessions = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: pingEveryMs, pingTimeoutMs: PING_TIMEOUT_MS, idleConnectionTimeoutMs: IDLE_MS },
    { ...secure, settings: { initialWindowSize: STREAM_WINDOW, enablePush: false } },
  );
  const open = new Set<GrpcExchange>();
  let isClosed = false;
  let onIdle: () => void = () => {};
  const shared: ExchangeShared = {
    sessions,
    deadlines: createDeadlines(runtime),
    timers: runtime.timers,
    headers,
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    packing: options.compress === true ? GZIP : PLAIN,
    opened: (exchange) => {
      if (isClosed) throw rpcErrors.UNREACHABLE({ service: baseUrl });
      open.add(exchange);
    },
    ended: (exchange) => {
      open.delete(exchange);
      if (open.size === 0) onIdle();
    },
  };
  return {
    stream: (request) => new GrpcExchange(shared, request, request.messages),
    send: async (request) => {
      const exchange = new GrpcExchange(shared, request, [request.body]);
      return { headers: NO_HEADERS, body: await exchange.only() };
    },
    close: async () => {
      isClosed = true;
      if (open.size > 0)
        await new Promise<void>((resolve) => {
          onIdle = resolve;
        });
      sessions.abort();
    },
  };
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const PLAIN = Object.freeze({ requests: undefined, answers: undefined });
const GZIP = Object.freeze({
  requests: undefined,
  answers: { header: 'grpc-encoding', compression: 'gzip' as const },
});
