import type { CatalogDeps } from './deps.ts';
import { createFinder, type Finder } from './store/finder.ts';
import { createProductRepository, type ProductRepository } from './store/product-repository.ts';
import { createProductSearch, type ProductSearch } from './store/product-search.ts';
import { createStatistics, type Statistics } from './store/statistics.ts';

/** What the use cases share while the service runs. */
export interface CatalogParts extends CatalogDeps {
  readonly products: ProductRepository;
  readonly search: ProductSearch;
  readonly finder: Finder;
  readonly statistics: Statistics;
}

export function createParts(deps: CatalogDeps): CatalogParts {
  const search = createProductSearch(deps.db);
  const { clock } = deps.runtime;
  return {
    ...deps,
    products: createProductRepository(deps.db),
    search,
    finder: createFinder({ search, clock, ttlMs: deps.settings.countsTtl, capacity: deps.settings.countsKept }),
    statistics: createStatistics(deps.db),
  };
}
