// A process that consumes, for tests that kill or stop it. Says on standard output what it begins.

import process from 'node:process';
import { createPostgresServer } from '@souk/adapter-postgres';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { createPostgresBus } from '../src/index.ts';
import { hear, numberOf } from './bus-world.ts';

const [url = '', handlerMs = '0', leaseMs = '3600'] = process.argv.slice(2);
const runtime = systemRuntime();
const server = createPostgresServer({ runtime, log: silentLogger, serviceUrls: { bus: url } });
await server.start();
const bus = createPostgresBus({ db: await server.open('bus'), runtime, leaseMs: Number(leaseMs) });
bus.subscribe(
  hear(async ({ envelope, delivery }) => {
    process.stdout.write(`begins ${envelope.key} ${numberOf(envelope)} ${delivery}\n`);
    await runtime.timers.sleep(Number(handlerMs));
  }),
);
await bus.start();
process.stdout.write('listens\n');
// Timers alone keep no process alive.
process.stdin.resume();
