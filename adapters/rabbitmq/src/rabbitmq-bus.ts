import { fromUnknown, silentLogger } from '@souk/kernel';
import type { Bus, Envelope } from '@souk/messaging';
import { type Channel, Connection } from 'rabbitmq-client';
import { rabbitmqErrors } from './errors.ts';
import { EventPublisher, type PublishingChannel } from './event-publisher.ts';
import { Link, type Session } from './link.ts';
import { type Attachment, Listener } from './listener.ts';
import { type RabbitmqBusOptions, toSettings } from './options.ts';
import { Requests, Responder, type ResponderAttachment } from './requests.ts';
import { declareExchanges } from './topology.ts';

interface RabbitmqSession extends Session, Attachment, ResponderAttachment {
  readonly publishing: PublishingChannel;
}

const CONNECT_MS = 5000;
/** Seconds. The client gives up on a peer that is silent for two of them. */
const HEARTBEAT = 10;

/**
 * A bus over RabbitMQ: events are kept in quorum queues, one or more for every group of consumers.
 *
 * @throws RABBITMQ_INVALID_OPTION
 */
export function createRabbitmqBus(options: RabbitmqBusOptions): Bus {
  const settings = toSettings(options);
  const { runtime } = settings;
  const log = (options.log ?? silentLogger).with({ bus: 'rabbitmq' });
  const listeners = new Set<Listener>();
  const responders = new Set<Responder>();
  const requests = new Requests(settings);
  const publisher = new EventPublisher(settings, log, (type) => [...listeners].some((one) => one.hears(type)));
  /** Queues that are being declared: nothing is published before, or their group would miss it. */
  const attaching = new Set<Promise<unknown>>();
  const publishesRunning = new Set<Promise<void>>();
  let blocked: string | undefined;

  const open = async (signal: AbortSignal): Promise<RabbitmqSession> => {
    const failed = Promise.withResolvers<unknown>();
    const fail = (error: unknown) => failed.resolve(error);
    blocked = undefined;
    const connections: Connection[] = [];
    const destroy = () => {
      for (const connection of connections) connection.unsafeDestroy();
    };
    try {
      const dial = (role: string) => connected(new Connection(toConnection(settings.url, role)), connections, fail);
      // Apart: one that publishes may be blocked by the broker, and the other must go on acknowledging.
      const [forPublishing, consuming] = await Promise.all([dial('publishing'), dial('consuming')]);
      forPublishing.on('connection.blocked', (reason) => {
        blocked = reason;
        log.error('the broker blocks publishers', { why: reason });
      });
      forPublishing.on('connection.unblocked', () => {
        blocked = undefined;
      });
      const channelFor = async () => {
        const channel = await forPublishing.acquire({ emitErrorsFromChannel: true });
        channel.on('error', fail);
        return channel;
      };
      const [events, answers] = await Promise.all([channelFor(), channelFor()]);
      await declareExchanges(events, settings);
      const publishing = await toPublishing(events, fail);
      await requests.attach(answers);
      const session: RabbitmqSession = {
        ...{ consuming, publishing, answers, fail },
        ended: failed.promise.then((why) => {
          requests.detach('the connection was lost');
          destroy();
          return why;
        }),
        close: async () => {
          await Promise.all([events.close(), answers.close()]);
          await Promise.all(connections.map((connection) => connection.close()));
          fail(undefined);
        },
      };
      await Promise.all([...listeners, ...responders].map((one) => one.attach(session)));
      signal.throwIfAborted();
      return session;
    } catch (error) {
      destroy();
      throw error;
    }
  };

  const link = new Link<RabbitmqSession>({ bus: 'rabbitmq', runtime, log, metrics: options.metrics, open });

  const attach = (one: Listener | Responder): void => {
    const { session } = link;
    if (session === undefined) return;
    const work = one
      .attach(session)
      .catch((error) => {
        log.warn('a subscription could not be made', { err: fromUnknown(error) });
        session.fail(error);
      })
      .finally(() => attaching.delete(work));
    attaching.add(work);
  };

  const publish = async (envelopes: readonly Envelope[]): Promise<void> => {
    if (envelopes.length === 0) return;
    const session = link.demand();
    if (blocked !== undefined) throw rabbitmqErrors.BLOCKED({ why: blocked }, { afterMs: 1000 });
    await Promise.all(attaching);
    await publisher.publish(session.publishing, envelopes);
  };

  return {
    name: 'rabbitmq',
    can: { pipelinesKeys: false, durable: true, crossProcess: true, requestReply: true, countsDeliveries: true },
    start: () => link.start(),
    publish: (envelopes) => {
      const work = publish(envelopes);
      const known = work.catch(() => {}).finally(() => publishesRunning.delete(known));
      publishesRunning.add(known);
      return work;
    },
    subscribe: (subscription) => {
      const listener = new Listener(subscription, settings, log, () => void listeners.delete(listener));
      listeners.add(listener);
      attach(listener);
      return listener;
    },
    request: async (ctx, address, body) => requests.ask(link.demand().answers, ctx, address, body),
    respond: (address, handle) => {
      const onClose = () => void responders.delete(responder);
      const responder: Responder = new Responder({ address, settings, log, handle, onClose });
      responders.add(responder);
      attach(responder);
      return responder;
    },
    health: () => {
      const health = link.health();
      const lastError = blocked === undefined ? health.lastError : `the broker blocks publishers: ${blocked}`;
      return { ...health, lastError, lateReplies: requests.late };
    },
    close: async () => {
      await Promise.all([...listeners, ...responders].map((one) => one.close()));
      await Promise.all(publishesRunning);
      await link.close();
    },
  };
}

/** @param fail Hears why the connection ended, once it stood. */
async function connected(
  connection: Connection,
  all: Connection[],
  fail: (error: unknown) => void,
): Promise<Connection> {
  all.push(connection);
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  connection.on('connection', () => resolve(connection));
  connection.on('error', (error) => {
    // It would come back by itself, without anything that was declared or consumed.
    connection.unsafeDestroy();
    reject(error);
    fail(error);
  });
  return promise;
}

async function toPublishing(channel: Channel, fail: (error: unknown) => void): Promise<PublishingChannel> {
  const returned = new Set<string>();
  channel.on('basic.return', ({ messageId }) => {
    if (messageId !== undefined) returned.add(messageId);
  });
  await channel.confirmSelect();
  return { channel, returned, fail };
}

const toConnection = (url: string, role: string) => ({
  url,
  connectionName: `souk ${role}`,
  connectionTimeout: CONNECT_MS,
  acquireTimeout: CONNECT_MS,
  heartbeat: HEARTBEAT,
  noDelay: true,
});
