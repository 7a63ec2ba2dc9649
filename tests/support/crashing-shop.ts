// A shop that ends its own process, as kill -9 does, at a chosen call. Run with the flags of `souk up` and
// CRASH_AT=before|after:<method, or `payments hears <type of event>`>, and HOLD=<method> for one whose answer shall take a while. The call does nothing before SIGUSR2 has come, so that the start itself survives.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createShop, loadShopSettings } from '@souk/app-souk';
import { systemRuntime } from '@souk/kernel';
import type { Bus } from '@souk/messaging';
import type { Interceptor } from '@souk/rpc';
import { createTelemetryHub } from '@souk/telemetry';
import { aroundDeliveries } from './gates.ts';

const [when = '', method = ''] = (process.env.CRASH_AT ?? '').split(':');
const HOLD_MS = 1500;
let armed = false;
process.on('SIGUSR2', () => {
  armed = true;
  console.log('armed');
});

const crash: Interceptor = (next) => async (call) => {
  const isIt = armed && call.method === method;
  if (isIt && when === 'before') process.kill(process.pid, 'SIGKILL');
  const response = await next(call);
  if (armed && call.method === process.env.HOLD) await sleep(HOLD_MS);
  if (isIt && when === 'after') process.kill(process.pid, 'SIGKILL');
  return response;
};

const aroundBus = (bus: Bus): Bus =>
  aroundDeliveries(bus, async (what, handle) => {
    const isIt = armed && what === method;
    if (isIt && when === 'before') process.kill(process.pid, 'SIGKILL');
    await handle();
    if (isIt && when === 'after') process.kill(process.pid, 'SIGKILL');
  });

const { values, folder } = await loadShopSettings(process.argv.slice(2));
const runtime = systemRuntime();
const telemetry = createTelemetryHub({ runtime, level: values.log.level, format: 'json' });
const shop = createShop({ settings: values, folder, runtime, telemetry, interceptors: [crash], aroundBus });
// Timers of the shop do not keep a process alive.
setInterval(() => {}, 2 ** 30);
const { url } = await shop.start();
console.log(`The shop is open at ${url}`);
process.on('SIGTERM', async () => {
  await shop.stop();
  process.exit(0);
});
