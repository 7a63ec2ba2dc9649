import { startServer } from '../lib/engines.ts';
import { race } from '../lib/race.ts';
import type { Bench } from '../main.ts';

export const sagas: Bench = {
  summary: 'sagas of four steps, to the commit of their end, beside DBOS and chains of graphile-worker jobs',
  run: async ({ quick, note }) => {
    const server = await startServer();
    try {
      return await race(server, {
        bench: 'saga',
        unit: 'sagas',
        engines: ['saga/souk', 'saga/dbos', 'saga/graphile'],
        concurrencies: [1, 32, 256],
        rounds: quick ? 1 : 5,
        seconds: quick ? 3 : 10,
        warmUpSeconds: quick ? 1 : 3,
        counted: quick ? 50 : 300,
        note,
      });
    } finally {
      await server.stop();
    }
  },
};
