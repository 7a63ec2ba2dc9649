import { duration, integer } from '@souk/config';

export const inventorySettings = {
  defaultTtl: duration({
    default: '15m',
    min: '1m',
    describe:
      'How long stock is held when a reservation does not say. Shorter frees stock of lost orders sooner; longer survives a slow payment.',
  }),
  sweepEvery: duration({
    default: '5s',
    describe: 'Gap between looks for expired reservations. Shorter frees stock sooner, at one query each.',
  }),
  lowStock: integer({
    default: 5,
    min: 0,
    max: 1_000_000,
    describe: 'A product is announced as low when this many units or fewer are available; 0: only when none is left.',
  }),
};
