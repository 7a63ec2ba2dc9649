import { type Context, newTrace, rootContext, silentLogger } from '@souk/kernel';
import { type Bus, messagingErrors } from '@souk/messaging';
import { Acknowledger } from './acknowledger.ts';
import { Doorbell } from './doorbell.ts';
import { EventPublisher, type Filled } from './event-publisher.ts';
import { Membership } from './membership.ts';
import { type PostgresBusOptions, type PostgresBusSettings, postgresBusDefaults } from './options.ts';
import { Subscriber } from './subscriber.ts';

/** A bus over tables of one PostgreSQL database: for many processes, and nothing to run beside it. */
export function createPostgresBus(options: PostgresBusOptions): Bus {
  const log = (options.log ?? silentLogger).with({ bus: 'postgres' });
  const settings: PostgresBusSettings = { ...postgresBusDefaults, ...options, log };
  const { runtime } = settings;
  // Statements that belong to no call are in no trace.
  const context = (): Context =>
    rootContext({ runtime, log, timeoutMs: settings.statementMs, trace: newTrace(runtime, false) });

  const doorbell = new Doorbell(settings, context, {
    onEvents: (group, slot) => {
      for (const subscriber of membership.subscribers) {
        const isMeant = group === undefined || subscriber.seat?.group === group;
        if (isMeant && (slot === undefined || subscriber.held.has(slot))) subscriber.wake();
      }
    },
    onLeases: () => membership.beatNow(),
  });
  const membership = new Membership(settings, context, doorbell);
  // Whether the database is there at all is for the membership to find out.
  const onTrouble = () => membership.beatNow();
  const acknowledger = new Acknowledger(settings, context, onTrouble);

  const onFilled = (filled: readonly Filled[]): void => {
    const here = new Map([...membership.subscribers].map((subscriber) => [subscriber.seat?.member, subscriber]));
    for (const { group_id, slot, owner } of filled) {
      if (owner === null) continue;
      const subscriber = here.get(owner);
      if (subscriber === undefined) doorbell.ringSlot(group_id, slot);
      else subscriber.wake();
    }
  };
  const publisher = new EventPublisher(settings, context, onFilled, onTrouble);
  const publishing = new Set<Promise<void>>();

  const publish: Bus['publish'] = async (envelopes) => {
    if (envelopes.length === 0) return;
    await membership.demand();
    await publisher.publish(envelopes);
  };

  return {
    name: 'postgres',
    can: { pipelinesKeys: false, durable: true, crossProcess: true, requestReply: false, countsDeliveries: true },
    start: () => membership.start(),
    publish: (envelopes) => {
      const work = publish(envelopes);
      const known = work.catch(() => {}).finally(() => publishing.delete(known));
      publishing.add(known);
      return work;
    },
    subscribe: (subscription) => {
      const subscriber = new Subscriber({
        subscription,
        settings,
        context,
        acknowledger,
        isValid: () => membership.isValid,
        onChange: () => membership.beatNow(),
        onTrouble,
        leave: (one) => membership.leave(one),
      });
      membership.add(subscriber);
      return subscriber;
    },
    request: async () => {
      throw messagingErrors.NOT_SUPPORTED({ bus: 'postgres', what: 'requests' });
    },
    respond: () => {
      throw messagingErrors.NOT_SUPPORTED({ bus: 'postgres', what: 'requests' });
    },
    health: () => membership.health(),
    close: async () => {
      await Promise.all([...membership.subscribers].map((subscriber) => subscriber.close()));
      await Promise.all(publishing);
      await doorbell.close();
      await membership.close();
    },
  };
}
