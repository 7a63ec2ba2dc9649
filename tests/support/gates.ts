// Places in a shop where work can be held, so that a test decides what happens before what.

import type { Bus, BusDelivery, BusSubscription } from '@souk/messaging';
import type { Interceptor } from '@souk/rpc';

export type Moment = 'before' | 'after';

/** A place where somebody waits. */
export interface Gate {
  /** Resolves when the first one waits there. */
  readonly reached: Promise<void>;
  /** How many have come so far. */
  readonly arrivals: number;
  /** Lets all go on, those who come later too. */
  open(): void;
}

export interface Gates {
  /**
   * Holds everything that comes to a place.
   * @param what Full name of a method, or `payments hears souk.orders.order-cancelled.v1`
   */
  hold(moment: Moment, what: string): Gate;
  readonly interceptor: Interceptor;
  readonly around: (bus: Bus) => Bus;
}

export function createGates(): Gates {
  const held = new Map<string, { readonly arrive: () => void; readonly opened: Promise<void> }>();

  const pass = async (moment: Moment, what: string): Promise<void> => {
    const gate = held.get(`${moment} ${what}`);
    gate?.arrive();
    await gate?.opened;
  };
  const through = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    await pass('before', what);
    const result = await work();
    await pass('after', what);
    return result;
  };

  return {
    hold: (moment, what) => {
      const place = `${moment} ${what}`;
      const [first, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let arrivals = 0;
      const arrive = (): void => {
        arrivals += 1;
        first.resolve();
      };
      held.set(place, { arrive, opened: all.promise });
      const open = (): void => {
        held.delete(place);
        all.resolve();
      };
      return {
        reached: first.promise,
        get arrivals() {
          return arrivals;
        },
        open,
      };
    },
    interceptor: (next) => (call) => through(call.method, () => next(call)),
    around: (bus) => aroundDeliveries(bus, (what, handle) => through(what, handle)),
  };
}

/** A bus whose deliveries go through `wrap`. @param wrap Gets `payments hears souk.orders.order-cancelled.v1`. */
export function aroundDeliveries(bus: Bus, wrap: (what: string, handle: () => Promise<void>) => Promise<void>): Bus {
  const wrapped = (subscription: BusSubscription): BusSubscription => ({
    ...subscription,
    handle: (delivery: BusDelivery) =>
      wrap(`${subscription.name} hears ${delivery.envelope.type}`, () => subscription.handle(delivery)),
  });
  // Whatever kind of object the bus is: its methods keep their own `this`.
  return new Proxy(bus, {
    get: (target, name) => {
      if (name === 'subscribe') return (subscription: BusSubscription) => bus.subscribe(wrapped(subscription));
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
