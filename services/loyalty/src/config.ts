import { integer } from '@souk/config';

export const loyaltySettings = {
  pointsPerHundred: integer({
    default: 100,
    min: 0,
    max: 10_000,
    describe: 'Points for every 100 whole units of money (100 EUR, 10,000 JPY); 0: no points.',
  }),
};
