// A service that dies of event 13, without a word. Run with the URL of its database.

import process from 'node:process';
import { openDatabase } from '../../../tests/support/open-database.ts';
import { createInProcessBus } from '../src/index.ts';
import { type Counted, CountedSchema } from './events.ts';
import { testService } from './service.ts';

const on = await openDatabase(process.argv[2] as string);
const service = testService({
  on: { ...on, url: '' },
  bus: createInProcessBus({ runtime: on.runtime }),
  options: { leaseMs: 600, ackMs: 5 },
  subscriptions: [
    {
      schema: CountedSchema,
      ordered: true,
      handle: async (_ctx, event, delivery) => {
        const { key, number } = event as Counted;
        if (number === 13) process.kill(process.pid, 'SIGKILL');
        await delivery.once((tx) => tx.query('INSERT INTO effect (key, number) VALUES ($1, $2)', [key, number]));
      },
    },
  ],
});
// Lives as long as who started it, unless it dies before.
process.stdin.resume().on('end', () => process.exit(0));
await service.start();
process.on('SIGTERM', async () => {
  await service.stop();
  await on.close();
  process.exit(0);
});
