import { duration } from '@souk/config';

export const ordersSettings = {
  reservationTtl: duration({
    default: '15m',
    min: '1m',
    describe:
      'How long stock is held for an order that is not yet confirmed. Shorter frees stock of lost orders sooner; longer survives a slow payment.',
  }),
  maxConsistencyWait: duration({
    default: '2s',
    describe: 'Longest that GET /users/{id}/stats waits until it shows the change named by ?consistency=.',
  }),
  maxWait: duration({
    default: '30s',
    describe: 'Longest that POST /orders waits for the outcome when asked to (Prefer: wait).',
  }),
};
