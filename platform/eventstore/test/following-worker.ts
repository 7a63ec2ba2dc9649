// A process that keeps the projection of the tests. Run with the URL of its database; it lives as long as its input is open.

import process from 'node:process';
import { silentTelemetry } from '@souk/telemetry';
import { openDatabase } from '../../../tests/support/open-database.ts';
import { createEventStore, createProjections } from '../src/index.ts';
import { slowly, testOptions, totals } from './world.ts';

const on = await openDatabase(process.argv[2] as string);
const { db, runtime, ctx } = on;
const projections = createProjections({
  db,
  store: createEventStore({ runtime }),
  runtime,
  telemetry: silentTelemetry(runtime, 'worker'),
  projections: [totals({ partitions: 4, ...(process.argv[3] === 'slowly' && { apply: slowly(runtime) }) })],
  options: { ...testOptions, batchSize: 20 },
});
process.stdin.resume().on('end', () => process.exit(0));
process.on('SIGTERM', async () => {
  await projections.stop();
  await on.close();
  process.exit(0);
});
await projections.prepare(ctx);
await projections.start();
process.stdout.write('ready\n');
