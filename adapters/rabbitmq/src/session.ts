import type { BrokerSession } from '@souk/messaging';
import { type Channel, Connection } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';
import type { PublishingChannel } from './event-publisher.ts';
import type { Attachment } from './listener.ts';
import type { RabbitmqBusSettings } from './options.ts';
import type { ResponderAttachment } from './requests.ts';
import { declareExchanges } from './topology.ts';

/** Two connections: one that publishes may be blocked by the broker, and the other must go on acknowledging. */
export interface Wires {
  readonly publishing: Connection;
  readonly consuming: Connection;
  /** Resolves when one of them is gone, or declared to be no good. */
  readonly failed: Promise<unknown>;
  fail(error: unknown): void;
  /**
   * Runs what declares and consumes. A queue without a leader, as one that was declared within 3 s before its broker was killed may be
   * left by RabbitMQ 3.10, does not answer at all; so too long a wait ends the connections.
   */
  limited<T>(work: () => Promise<T>): Promise<T>;
  destroy(): void;
}

export interface RabbitmqSession extends BrokerSession, Attachment, ResponderAttachment, Pick<Wires, 'limited'> {
  readonly publishing: PublishingChannel;
}

const CONNECT_MS = 5000;
const SET_UP_MS = 20_000;
/** Seconds. The client gives up on a peer that is silent for two of them. */
const HEARTBEAT = 10;

export async function dial(settings: RabbitmqBusSettings, signal: AbortSignal): Promise<Wires> {
  const failed = Promise.withResolvers<unknown>();
  const connections: Connection[] = [];
  const destroy = () => {
    signal.removeEventListener('abort', destroy);
    for (const connection of connections) connection.unsafeDestroy();
  };
  const one = (role: string): Promise<Connection> => {
    const connection = new Connection(toOptions(settings.url, role));
    connections.push(connection);
    const { promise, resolve, reject } = Promise.withResolvers<Connection>();
    connection.on('connection', () => resolve(connection));
    connection.on('error', (error) => {
      // It would come back by itself, without anything that was declared or consumed.
      connection.unsafeDestroy();
      reject(error);
      failed.resolve(error);
    });
    return promise;
  };
  signal.addEventListener('abort', () => failed.resolve(signal.reason), { once: true });
  const lost = failed.promise.then((error) => Promise.reject(error));
  lost.catch(() => {});
  try {
    const [publishing, consuming] = await Promise.race([Promise.all([one('publishing'), one('consuming')]), lost]);
    const { timers } = settings.runtime;
    const limited = async <T>(work: () => Promise<T>): Promise<T> => {
      const timer = timers.after(SET_UP_MS, () => failed.resolve(rabbitmqErrors.SET_UP_TIMED_OUT({ ms: SET_UP_MS })));
      try {
        return await Promise.race([work(), lost]);
      } finally {
        timer.cancel();
      }
    };
    return { publishing, consuming, failed: failed.promise, fail: failed.resolve, limited, destroy };
  } catch (error) {
    destroy();
    throw error;
  }
}

export interface SessionListener {
  /** @param reason undefined: not any more */
  onBlocked(reason: string | undefined): void;
  onEnd(): void;
}

/** Exchanges, and channels to publish on. */
export async function setUp(
  wires: Wires,
  settings: RabbitmqBusSettings,
  { onBlocked, onEnd }: SessionListener,
): Promise<RabbitmqSession> {
  const { publishing, consuming, fail, failed, limited, destroy } = wires;
  publishing.on('connection.blocked', (reason) => onBlocked(reason));
  publishing.on('connection.unblocked', () => onBlocked(undefined));
  let closing = false;
  const open = async (): Promise<Channel> => {
    const channel = await publishing.acquire({ emitErrorsFromChannel: true });
    channel.on('error', fail);
    channel.on(
      'close',
      () => closing || fail(rabbitmqErrors.CONSUMER_GONE({ queue: 'publishing', why: 'channel closed' })),
    );
    return channel;
  };
  const [events, answers] = await Promise.all([open(), open()]);
  await declareExchanges(events, settings);
  const returned = new Set<string>();
  events.on('basic.return', ({ messageId }) => {
    if (messageId !== undefined) returned.add(messageId);
  });
  await events.confirmSelect();
  return {
    consuming,
    publishing: { channel: events, returned, fail },
    answers,
    fail,
    limited,
    ended: failed.then((why) => {
      onEnd();
      destroy();
      return why;
    }),
    close: async () => {
      closing = true;
      await Promise.all([events.close(), answers.close()]);
      await Promise.all([publishing.close(), consuming.close()]);
      fail(undefined);
    },
  };
}

const toOptions = (url: string, role: string) => ({
  url,
  connectionName: `souk ${role}`,
  connectionTimeout: CONNECT_MS,
  acquireTimeout: CONNECT_MS,
  heartbeat: HEARTBEAT,
  noDelay: true,
});
