import {
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type PubAck,
} from '@nats-io/jetstream';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { fromUnknown, type SoukError, silentLogger } from '@souk/kernel';
import {
  BrokerLink,
  type BrokerSession,
  type Bus,
  describeFault,
  type Envelope,
  messagingErrors,
} from '@souk/messaging';
import { natsErrors } from './errors.ts';
import { type Attachment, Listener } from './listener.ts';
import { type NatsBusOptions, toSettings } from './options.ts';
import { Requests, Responder } from './requests.ts';
import { checkVersion, ensureStream } from './stream.ts';
import { messageId, partitionOf, toHeaders, toToken } from './wire.ts';

interface NatsSession extends BrokerSession, Attachment {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

const CONNECT_MS = 5000;
/** A peer that is silent for two of these is gone. */
const PING_MS = 5000;
/** A stream that is lost is noticed by everybody after so long, also by consumers that were not told. */
const STREAM_CHECK_MS = 2000;
/** JetStream's error code for a stream that may take no more. */
const STREAM_FULL = 10077;

/**
 * A bus over NATS JetStream: events are kept in a file-backed stream until every group of consumers has handled them.
 *
 * @throws NATS_INVALID_OPTION
 */
export function createNatsBus(options: NatsBusOptions): Bus {
  const settings = toSettings(options);
  const { runtime, prefix } = settings;
  const log = (options.log ?? silentLogger).with({ bus: 'nats' });
  const listeners = new Set<Listener>();
  const responders = new Set<Responder>();
  const requests = new Requests(settings);
  /** Consumers that are being made: nothing is published before, or their group would miss it. */
  const attaching = new Set<Promise<unknown>>();
  const publishing = new Set<Promise<void>>();
  let knownStream: string | undefined;
  let publishAtMs = 0;
  /** The highest position that was confirmed. */
  let lastSequence = 0;
  /** How many streams were lost: what is published again is new to the next one, though it may have seen it before its groups were back. */
  let losses = 0;

  const onStreamLost = () => {
    log.error('the stream was lost with what was in it, and made anew', { stream: prefix });
    publishAtMs = runtime.clock.monotonicMs() + settings.recoverMs;
    lastSequence = 0;
    losses++;
  };

  /** A time-out says nothing of the stream: the connection's own pings find out about the server. */
  const checkStream = async ({ jsm, fail }: NatsSession, known: string): Promise<void> => {
    try {
      const { created } = await jsm.streams.info(prefix);
      if (created !== known) fail(gone());
    } catch (error) {
      if (error instanceof JetStreamApiError && error.status === 404) fail(error);
    }
  };

  const gone = () => {
    const afterMs = Math.max(0, publishAtMs - runtime.clock.monotonicMs());
    return natsErrors.STREAM_GONE({ stream: prefix }, { afterMs });
  };

  const open = async (signal: AbortSignal): Promise<NatsSession> => {
    const nc = await connect(toConnectOptions(settings.urls));
    try {
      checkVersion(nc);
      const failed = Promise.withResolvers<unknown>();
      const js = jetstream(nc, { timeout: settings.publishMs });
      const jsm = await jetstreamManager(nc, { timeout: settings.publishMs });
      const ended = Promise.race([nc.closed(), failed.promise]).then(async (why) => {
        requests.detach('the connection was lost');
        await nc.close();
        return why;
      });
      const close = async () => {
        if (!nc.isClosed()) await nc.drain();
      };
      const session: NatsSession = { nc, js, jsm, ended, close, fail: (error) => failed.resolve(error) };
      const stream = await ensureStream(jsm, settings);
      if (knownStream !== undefined && knownStream !== stream) onStreamLost();
      knownStream = stream;
      await Promise.all([...listeners].map((listener) => listener.attach(session)));
      for (const responder of responders) responder.attach(nc);
      requests.attach(nc);
      signal.throwIfAborted();
      const checking = runtime.timers.every(STREAM_CHECK_MS, () => void checkStream(session, stream));
      ended.finally(() => checking.cancel()).catch(() => {});
      return session;
    } catch (error) {
      await nc.close();
      throw error;
    }
  };

  const link = new BrokerLink<NatsSession>({ bus: 'nats', runtime, log, metrics: options.metrics, open });

  const failure = (error: unknown): SoukError => {
    if (error instanceof JetStreamApiError && error.code === STREAM_FULL) {
      return messagingErrors.BUS_FULL({ subscription: `stream ${prefix}` }, { afterMs: 1000, cause: error });
    }
    return messagingErrors.BUS_UNAVAILABLE({ bus: 'nats', why: describeFault(error) }, { cause: error });
  };

  /** One after another: the second of a key is sent when the server has the first. */
  const publishKey = async (session: NatsSession, envelopes: readonly Envelope[]): Promise<void> => {
    for (const envelope of envelopes) {
      const subject = `${prefix}.${partitionOf(envelope, settings.partitions)}.${toToken(envelope.type)}`;
      const [before, lossesBefore] = [lastSequence, losses];
      let ack: PubAck;
      try {
        ack = await session.js.publish(subject, envelope.data, {
          headers: toHeaders(envelope),
          msgID: messageId(envelope, losses),
          timeout: settings.publishMs,
        });
      } catch (error) {
        // Nobody answers for the stream: it is gone, and coming back makes it again.
        if (error instanceof Error && error.name === 'JetStreamNotEnabled') session.fail(error);
        throw failure(error);
      }
      // Sent after `before` was confirmed, and yet not behind it: this is another stream, whose groups may not be back yet.
      if (losses === lossesBefore && !ack.duplicate && ack.seq <= before) onStreamLost();
      if (losses !== lossesBefore) throw gone();
      lastSequence = Math.max(lastSequence, ack.seq);
    }
  };

  const publish = async (envelopes: readonly Envelope[]): Promise<void> => {
    if (envelopes.length === 0) return;
    const session = link.demand();
    if (runtime.clock.monotonicMs() < publishAtMs) throw gone();
    await Promise.all(attaching);
    const keys = Map.groupBy(envelopes, ({ source, key }) => `${source}#${key}`);
    const outcomes = await Promise.allSettled([...keys.values()].map((key) => publishKey(session, key)));
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    if (refused !== undefined) throw refused.reason;
  };

  return {
    name: 'nats',
    can: { pipelinesKeys: false, durable: true, crossProcess: true, requestReply: true, countsDeliveries: true },
    start: () => link.start(),
    publish: (envelopes) => {
      const work = publish(envelopes);
      const known = work.catch(() => {}).finally(() => publishing.delete(known));
      publishing.add(known);
      return work;
    },
    subscribe: (subscription) => {
      const listener = new Listener(subscription, settings, log, () => listeners.delete(listener));
      listeners.add(listener);
      const session = link.session;
      if (session !== undefined) {
        const work = listener
          .attach(session)
          .catch((error) => {
            log.warn('a subscription could not be made', { consumer: subscription.name, err: fromUnknown(error) });
            session.fail(error);
          })
          .finally(() => attaching.delete(work));
        attaching.add(work);
      }
      return listener;
    },
    request: async (ctx, address, body) => requests.ask(link.demand().nc, ctx, address, body),
    respond: (address, handle) => {
      const onClose = () => void responders.delete(responder);
      const responder: Responder = new Responder({ address, settings, log, handle, onClose });
      responders.add(responder);
      if (link.session !== undefined) responder.attach(link.session.nc);
      return responder;
    },
    health: () => ({ ...link.health(), lateReplies: requests.late }),
    close: async () => {
      // What runs comes to an end, what was published is confirmed, then the last acknowledgements go out with the drain.
      await Promise.all([...listeners, ...responders].map((one) => one.close()));
      await Promise.all(publishing);
      await link.close();
    },
  };
}

function toConnectOptions(urls: readonly string[]): NodeConnectionOptions {
  const parsed = urls.map((url) => (url.includes('://') ? new URL(url) : new URL(`nats://${url}`)));
  const { username = '', password = '' } = parsed[0] ?? {};
  const user = decodeURIComponent(username);
  const credentials = password === '' ? { token: user } : { user, pass: decodeURIComponent(password) };
  return {
    servers: parsed.map(({ hostname, port }) => `${hostname}:${port === '' ? 4222 : port}`),
    ...(user === '' ? {} : credentials),
    ...(parsed.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
    name: 'souk',
    reconnect: false,
    timeout: CONNECT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    noAsyncTraces: true,
  };
}
