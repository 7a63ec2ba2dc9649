import { duration, integer } from '@souk/config';

export const catalogSettings = {
  countsTtl: duration({
    default: '30s',
    min: '0s',
    describe:
      'How long counts of a search (facets, totals) are reused. Writes of this process end it at once; those of other processes show after this time. Products and prices are always current.',
  }),
  countsKept: integer({
    default: 1_000_000,
    min: 1_000,
    max: 100_000_000,
    describe:
      'Matches remembered for counting, over all searches, at about 11 bytes each. More spare the database work, fewer save memory.',
  }),
};
