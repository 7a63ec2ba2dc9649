// `node tools/package/main.ts resilience [--out folder]`: a package of the platform as a tarball that needs nothing else of the repository.

import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { pack } from './pack.ts';
import { PackageProblem } from './problem.ts';
import { recipes } from './recipes.ts';

const root = join(import.meta.dirname, '..', '..');
const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
const [name, ...more] = positionals;

if (name === undefined || more.length > 0) {
  console.error(`usage: node tools/package/main.ts ${Object.keys(recipes).join('|')} [--out folder]`);
  process.exitCode = 2;
} else {
  try {
    console.log(await pack(root, name, resolve(values.out ?? join(root, '.souk', 'packages'))));
  } catch (error) {
    if (!(error instanceof PackageProblem)) throw error;
    console.error(`package: ${error.message}`);
    process.exitCode = 1;
  }
}
