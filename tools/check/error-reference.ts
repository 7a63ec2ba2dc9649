// The page of errors says what the catalogues say.

import { readCatalogues } from '../errors/catalogues.ts';
import { errorReference } from '../errors/reference.ts';
import type { Rule } from './rule.ts';

const page = 'docs/reference/errors.md';

export const errorPage: Rule = {
  name: 'error-reference',
  run: async (tree) => {
    const wanted = errorReference(await readCatalogues(tree));
    if (tree.files.includes(page) && tree.read(page) === wanted) return [];
    return [{ path: page, line: 0, message: 'does not say what the catalogues say: run node tools/errors/main.ts' }];
  },
};
