import { startServer } from '../lib/engines.ts';
import { race } from '../lib/race.ts';
import type { Bench } from '../main.ts';

export const events: Bench = {
  summary: 'one event to a new stream with an expected version, beside emmett and a bare prepared INSERT',
  run: async ({ quick, note }) => {
    const server = await startServer();
    try {
      return await race(server, {
        bench: 'events',
        unit: 'events',
        engines: ['events/souk', 'events/emmett', 'events/insert'],
        concurrencies: [1, 16, 128],
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
