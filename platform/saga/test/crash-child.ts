// Runs an engine until it is killed. Started by a test: crash-child.ts <url>

import process from 'node:process';
import { openDatabase } from '../../../tests/support/open-database.ts';
import { createSagaEngine } from '../src/index.ts';
import { effectsSaga } from './effects-saga.ts';
import { quietTelemetry } from './world.ts';

const { db, runtime } = await openDatabase(process.argv[2] ?? '');
const engine = createSagaEngine({ db, runtime, telemetry: quietTelemetry, definitions: [effectsSaga] });
engine.bind({ db, runtime, takesMs: 40 });
await engine.start();
// Timers of the runtime keep no process alive.
process.stdin.resume();
