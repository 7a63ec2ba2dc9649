import type { Registration } from '@souk/discovery';
import { createDeadlines, type InstanceTransport, notSent, type WireRequest, type WireResponse } from '@souk/rpc';
import { buildConnector, type Client } from 'undici';
import { ChannelCall } from './channel-call.ts';
import { Channels } from './channels.ts';
import { type ConnectionCounts, Connections, connectionCounts } from './connections.ts';
import { Exchange, type ExchangeShared } from './exchange.ts';
import { type HttpTransportOptions, type Limits, limitsOf } from './options.ts';
import { pack } from './packing.ts';

/** Where an instance is. An instance of a registry fits. */
export type Target = Pick<Registration, 'address' | 'port' | 'protocol'>;

/** Carries calls to other processes, by the Connect protocol over HTTP/1.1. */
export interface HttpTransport {
  /** The way to one instance, with connections of its own. Connects when it is first used. */
  to(target: Target): InstanceTransport;
}

const CONNECT_TIMEOUT_MS = 2000;
const IDLE_MS = 30_000;
/** Of a head, in bytes. */
const MAX_HEAD_BYTES = 16_384;
/** Messages beyond so many bytes have a connection of their own: on a channel others would wait behind them. */
const LARGE_BYTES = 262_144;
/** How much earlier than the server says an idle connection is closed, in milliseconds: or a call could meet its end half way. */
const BEFORE_SERVER_MS = 2000;

export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { runtime, telemetry, headers, idleMs = IDLE_MS } = options;
  const limits = limitsOf(options);
  const deadlines = createDeadlines(runtime);
  const counts = telemetry && connectionCounts(telemetry);
  const client: Client.Options = {
    // One for all: sessions of TLS are kept in it.
    connect: buildConnector({
      ...definedOf(options.tls ?? {}),
      timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      allowH2: false,
    }),
    allowH2: false,
    pipelining: 1,
    // Deadlines are kept per call.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
    keepAliveTimeoutThreshold: BEFORE_SERVER_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    maxResponseSize: limits.answerBytes,
  };
  return {
    to: (target) => {
      const connections = new Connections({
        origin: originOf(target),
        client,
        limit: limits.connections,
        maxWaiting: limits.waiting,
        counts,
      });
      const shared: ExchangeShared = {
        ...{ connections, deadlines, limits, headers },
        clock: runtime.clock,
        paths: new Map(),
      };
      const channels =
        options.channels === false ? undefined : channelsOf(shared, originOf(target), client, counts, limits);
      return {
        send: (request) => {
          const { length } = request.body;
          if (length >= limits.compressFromBytes) return sendPacked(shared, request);
          const nowMs = runtime.clock.monotonicMs();
          if (channels === undefined || length > LARGE_BYTES) return exchange(shared, request, request.body, nowMs);
          return sendByChannel(shared, channels, request, nowMs);
        },
        close: async () => {
          await Promise.all([channels?.close(), connections.close()]);
        },
      };
    },
  };
}

const channelsOf = (
  shared: ExchangeShared,
  origin: string,
  client: Client.Options,
  counts: ConnectionCounts | undefined,
  { answerBytes, connections, waiting }: Limits,
): Channels =>
  new Channels({
    ...{ origin, client, counts, answerBytes, clock: shared.clock, deadlines: shared.deadlines },
    maxCalls: connections + waiting,
    overHttp: ({ request, body, untilMs, resolve, reject }) =>
      new Exchange(shared, request, body, untilMs, resolve, reject).start(shared.clock.monotonicMs()),
  });

const sendByChannel = (
  { deadlines, headers }: ExchangeShared,
  channels: Channels,
  request: WireRequest,
  nowMs: number,
): Promise<WireResponse> =>
  new Promise((resolve, reject) => {
    const untilMs = nowMs + (request.timeoutMs ?? Number.POSITIVE_INFINITY);
    const { place } = channels;
    new ChannelCall({ request, deadlines, untilMs, added: headers?.(request), place, resolve, reject }).start(nowMs);
  });

function exchange(
  shared: ExchangeShared,
  request: WireRequest,
  body: Uint8Array,
  nowMs: number,
  untilMs = nowMs + (request.timeoutMs ?? Number.POSITIVE_INFINITY),
): Promise<WireResponse> {
  return new Promise((resolve, reject) => new Exchange(shared, request, body, untilMs, resolve, reject).start(nowMs));
}

async function sendPacked(shared: ExchangeShared, request: WireRequest): Promise<WireResponse> {
  const untilMs = shared.clock.monotonicMs() + (request.timeoutMs ?? Number.POSITIVE_INFINITY);
  const body = await pack(request.body).catch((cause) => {
    throw notSent(request.method.slice(0, request.method.indexOf('/')), cause);
  });
  return exchange(shared, request, body, shared.clock.monotonicMs(), untilMs);
}

const originOf = ({ protocol, address, port }: Target): string =>
  `${protocol}://${address.includes(':') ? `[${address}]` : address}:${port}`;

/** Without what is undefined: options of TLS take that for a wish. */
const definedOf = <T extends object>(given: T): Partial<T> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>;
