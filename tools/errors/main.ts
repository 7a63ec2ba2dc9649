// Writes docs/reference/errors.md from the error catalogues of all packages; with --check only says whether it is up to date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { readTree } from '../check/tree.ts';
import { readCatalogues } from './catalogues.ts';
import { errorReference } from './reference.ts';

const NAME = 'docs/reference/errors.md';
const root = resolve(import.meta.dirname, '..', '..');
const path = join(root, NAME);
const text = errorReference(await readCatalogues(readTree(root)));

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
  console.error(`${NAME} is out of date: run "node tools/errors/main.ts"`);
  process.exitCode = 1;
}
