import type { CatalogDeps } from './deps.ts';
import { type Answers, createAnswers } from './store/answers.ts';
import { type Changes, createChanges } from './store/changes.ts';
import { createFinder, type Finder } from './store/finder.ts';
import { createProductRepository, type ProductRepository } from './store/product-repository.ts';
import { createProductSearch, type ProductSearch } from './store/product-search.ts';
import { createStatistics, type Statistics } from './store/statistics.ts';

/** What the use cases share while the service runs. */
export interface CatalogParts extends CatalogDeps {
  readonly products: ProductRepository;
  readonly search: ProductSearch;
  readonly finder: Finder;
  readonly answers: Answers;
  readonly changes: Changes;
  readonly statistics: Statistics;
}

export function createParts(deps: CatalogDeps): CatalogParts {
  const search = createProductSearch(deps.db);
  const { clock } = deps.runtime;
  const { countsTtl, countsKept, changesSeenWithin, productsKept, pagesKept } = deps.settings;
  const finder = createFinder({ search, clock, ttlMs: countsTtl, capacity: countsKept });
  const answers = createAnswers({ clock, pagesKept, productsKept });
  const onChange = (): void => {
    finder.invalidate();
    answers.forget();
  };
  return {
    ...deps,
    products: createProductRepository(deps.db),
    search,
    finder,
    answers,
    changes: createChanges({ db: deps.db, clock, seenWithinMs: changesSeenWithin, onChange }),
    statistics: createStatistics(deps.db),
  };
}
