// Starts a server on a folder and holds it until it is killed: `node hold.ts <folder> [<binaries>]`.

import process from 'node:process';
import { silentLogger, systemRuntime } from '@souk/kernel';
import { createEmbeddedPostgres } from '../src/index.ts';

const [folder = '', binaries] = process.argv.slice(2);
const server = createEmbeddedPostgres({ folder, binaries, runtime: systemRuntime(), log: silentLogger });
const address = await server.start();
process.stdout.write(`${JSON.stringify({ pid: server.pid, address })}\n`);
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
process.stdin.resume();
