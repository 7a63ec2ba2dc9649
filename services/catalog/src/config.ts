import { duration, integer } from '@souk/config';

export const catalogSettings = {
  countsTtl: duration({
    default: '5m',
    min: '0s',
    describe: 'How long counts of a search (facets, totals) are reused while nothing changes.',
  }),
  changesSeenWithin: duration({
    default: '2s',
    min: '0s',
    max: '60s',
    describe:
      'How long products and pages that were answered before may be answered again without asking the database whether another process has changed anything. Changes of this process show at once. Orders are always priced anew.',
  }),
  productsKept: integer({
    default: 20_000,
    min: 0,
    max: 10_000_000,
    describe: 'Products remembered as they were answered, at about 3 kB each.',
  }),
  pagesKept: integer({
    default: 2_000,
    min: 0,
    max: 1_000_000,
    describe: 'Pages remembered as they were answered, at about 20 kB each and what their products take.',
  }),
  countsKept: integer({
    default: 1_000_000,
    min: 1_000,
    max: 100_000_000,
    describe:
      'Matches remembered for counting, over all searches, at about 11 bytes each. More spare the database work, fewer save memory.',
  }),
};
