/**
 * How to read a page: `gather` finds all matches through the index of words or filters and sorts them; `walk` follows the order of the
 * sort and checks each product until the page is full.
 */
export type PagePlan = 'gather' | 'walk';

export interface PageSizes {
  /** Products that an index on words or filters leads to; undefined when there is none. */
  readonly gathered: number | undefined;
  /** Products that match everything. */
  readonly matching: number;
  /** Products along the order of the sort. */
  readonly along: number;
  readonly limit: number;
  /** A walk can be given up. */
  readonly stoppable: boolean;
}

export interface PageChoice {
  readonly plan: PagePlan;
  /** Products that a walk may look at. When the page is not full by then, gathering is cheaper. Undefined for all of them. */
  readonly budget?: number;
}

/** Budgets of walks. A small number of them, because each makes queries of its own. */
const BUDGETS = [4_096, 1_024, 256];

/** Gathering a product costs about as much as walking past two: its place in the table is nowhere near the last one's, and it is sorted. */
const GATHER_COST = 2;

/**
 * The plan that is likely cheaper. Either gives the same page. Matches may lie far along the order (all kites are of brands that begin
 * with W), so a walk is given up when it has cost as much as gathering.
 */
export function choosePlan({ gathered, matching, along, limit, stoppable }: PageSizes): PageChoice {
  if (gathered === undefined) return { plan: 'walk' };
  const affordable = gathered * GATHER_COST;
  if (along <= affordable) return { plan: 'walk' };
  const steps = matching === 0 ? along : (limit * along) / matching;
  if (!stoppable) return { plan: steps > affordable ? 'gather' : 'walk' };
  const budget = BUDGETS.find((one) => one <= affordable);
  return budget === undefined || steps > budget ? { plan: 'gather' } : { plan: 'walk', budget };
}
