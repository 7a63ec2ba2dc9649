// A shop whose events come late and twice. Run with the flags of `souk up`; CHAOS_SEED makes the lateness repeatable.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createShop, loadShopSettings } from '@souk/app-souk';
import { seededRandom, systemRuntime } from '@souk/kernel';
import type { Bus, BusDelivery, BusSubscription } from '@souk/messaging';
import { createTelemetryHub } from '@souk/telemetry';
import { witness } from './witness.ts';

const LATE = 0.2;
const LONGEST_DELAY_MS = 400;
const TWICE = 0.15;
/** A repeat long after the event was handled, and after later ones of its key. */
const ECHO = 0.1;
const LONGEST_ECHO_MS = 8_000;

const random = seededRandom(Number(process.env.CHAOS_SEED ?? 1));

function lateAndTwice(subscription: BusSubscription): BusSubscription {
  const handle = async (delivery: BusDelivery): Promise<void> => {
    if (random.next() < LATE) await sleep(random.next() * LONGEST_DELAY_MS);
    await subscription.handle(delivery);
    const again = { ...delivery, delivery: delivery.delivery + 1 };
    if (random.next() < TWICE) await subscription.handle(again);
    if (random.next() < ECHO) {
      setTimeout(() => void subscription.handle(again).catch(() => {}), random.next() * LONGEST_ECHO_MS);
    }
  };
  return { ...subscription, handle };
}

/** Whatever kind of object the bus is: its methods keep their own `this`. */
const around = (bus: Bus): Bus =>
  new Proxy(bus, {
    get: (target, name) => {
      if (name === 'subscribe') return (subscription: BusSubscription) => bus.subscribe(lateAndTwice(subscription));
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

const { values, folder } = await loadShopSettings(process.argv.slice(2));
const runtime = systemRuntime();
const telemetry = createTelemetryHub({ runtime, level: values.log.level, format: 'json' });
const shop = createShop({ settings: values, folder, runtime, telemetry, services: [witness], aroundBus: around });
// Timers of the shop do not keep a process alive.
setInterval(() => {}, 2 ** 30);
const { url } = await shop.start();
console.log(`The shop is open at ${url}`);
process.on('SIGTERM', async () => {
  await shop.stop();
  process.exit(0);
});
