// A shop of which a process ends itself, as kill -9 does, at a chosen boundary. Run with the flags of `souk up`, in one process or split; then its
// supervisor runs this program for each process too. The boundary is that of `crash-point.ts`: it does nothing before SIGUSR2 has come, so that
// the start itself survives, and nothing again in a process that was started after it.

import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createServices,
  createShop,
  createSupervisor,
  loadShopSettings,
  runMember,
  type Shop,
  splitTopology,
} from '@souk/app-souk';
import { systemRuntime } from '@souk/kernel';
import type { Bus } from '@souk/messaging';
import type { Interceptor } from '@souk/rpc';
import { createTelemetryHub } from '@souk/telemetry';
import { type ArmedPoint, readPoint } from './crash-point.ts';
import { aroundDeliveries } from './gates.ts';
import { serversOf } from './shop-process.ts';

const HOLD_MS = 1500;
let armed: ArmedPoint | undefined;

/** Ends this process, or the one that waits for what this one has done. */
function crash({ caller }: ArmedPoint): void {
  armed = undefined;
  const [victim = process.pid] = caller === undefined ? [] : serversOf(process.ppid, caller);
  process.kill(victim, 'SIGKILL');
}

async function through<T>(what: string, work: () => Promise<T>): Promise<T> {
  if (armed?.what === what && armed.when === 'before') crash(armed);
  const result = await work();
  if (armed?.hold === what) await sleep(HOLD_MS);
  if (armed?.what === what && armed.when === 'after') crash(armed);
  return result;
}

const interceptors: readonly Interceptor[] = [(next) => (call) => through(call.method, () => next(call))];
const aroundBus = (bus: Bus): Bus => aroundDeliveries(bus, through);

function listen(folder: string): void {
  process.on('SIGUSR2', () => {
    armed = readPoint(folder);
    console.log(`armed ${armed.round}`);
  });
}

async function serve(given: readonly string[]): Promise<void> {
  const end = given.indexOf('--instance');
  const [roles, instance = '', flags] = [given.slice(0, end), given[end + 1], given.slice(end + 2)];
  listen((await loadShopSettings(flags)).folder);
  // The edge passes on what others serve.
  const around = roles.includes('edge') ? {} : { interceptors, aroundBus };
  await runMember({ roles, instance, flags, around });
}

async function up(flags: readonly string[]): Promise<void> {
  const { values: settings, folder, serviceUrls, env } = await loadShopSettings(flags);
  const runtime = systemRuntime();
  const telemetry = createTelemetryHub({ runtime, level: settings.log.level, format: 'json' });
  const base = { settings, folder, runtime, telemetry };
  let shop: Pick<Shop, 'start' | 'stop'>;
  if (settings.topology.plan === 'split') {
    const services = Object.keys(createServices());
    const topology = splitTopology(services);
    const [program, out, onProgress] = [[import.meta.filename], console.log, () => {}];
    const output = { format: 'json', colour: false, out, onProgress } as const;
    shop = createSupervisor({ ...base, ...output, topology, serviceUrls, services, env, flags, program });
  } else {
    listen(folder);
    shop = createShop({ ...base, interceptors, aroundBus });
  }
  // Timers of the shop do not keep a process alive.
  setInterval(() => {}, 2 ** 30);
  const { url } = await shop.start();
  console.log(`The shop is open at ${url}`);
  process.on('SIGTERM', async () => {
    await shop.stop();
    process.exit(0);
  });
}

const [command, ...rest] = process.argv.slice(2);
await (command === 'serve' ? serve(rest) : up(process.argv.slice(2)));
