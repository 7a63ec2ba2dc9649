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
}

/** The plan that reads fewer products. Either gives the same page. */
export function choosePlan({ gathered, matching, along, limit }: PageSizes): PagePlan {
  if (gathered === undefined) return 'walk';
  const steps = matching === 0 ? along : Math.min(along, (limit * along) / matching);
  return gathered <= steps ? 'gather' : 'walk';
}
