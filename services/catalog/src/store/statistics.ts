import type { Context } from '@souk/kernel';
import type { Database } from '@souk/store';

/** Keeps what the planner knows in step with a table that grows by imports. */
export interface Statistics {
  /** Says that a call added so many products. Every time the sum has grown fourfold, statistics are taken anew. */
  grown(ctx: Context, products: number): Promise<void>;
}

const FIRST = 1_000;
const FACTOR = 4;

export function createStatistics(db: Database): Statistics {
  let imported = 0;
  let next = FIRST;
  return {
    grown: async (ctx, products) => {
      imported += products;
      if (imported < next) return;
      next = imported * FACTOR;
      await db.at(ctx).query('/* catalog.analyze */ analyze product, category, word');
    },
  };
}
