import { fromUnknown, silentLogger } from '@souk/kernel';
import { BrokerLink, type Bus, type Envelope } from '@souk/messaging';
import { rabbitmqErrors } from './errors.ts';
import { EventPublisher } from './event-publisher.ts';
import { Listener } from './listener.ts';
import { type RabbitmqBusOptions, toSettings } from './options.ts';
import { Requests, Responder } from './requests.ts';
import { dial, type RabbitmqSession, setUp } from './session.ts';

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
  /** Why the broker takes nothing. */
  let blocked: string | undefined;

  const open = async (signal: AbortSignal): Promise<RabbitmqSession> => {
    blocked = undefined;
    const wires = await dial(settings, signal);
    try {
      return await wires.limited(async () => {
        const session = await setUp(wires, settings, {
          onBlocked: (reason) => {
            blocked = reason;
            if (reason !== undefined) log.error('the broker blocks publishers', { why: reason });
          },
          onEnd: () => requests.detach('the connection was lost'),
        });
        await requests.attach(session.answers);
        await Promise.all([...listeners, ...responders].map((one) => one.attach(session)));
        signal.throwIfAborted();
        return session;
      });
    } catch (error) {
      wires.destroy();
      throw error;
    }
  };

  const link = new BrokerLink<RabbitmqSession>({ bus: 'rabbitmq', runtime, log, metrics: options.metrics, open });

  const attach = (one: Listener | Responder): void => {
    const { session } = link;
    if (session === undefined) return;
    const work = session
      .limited(() => one.attach(session))
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
