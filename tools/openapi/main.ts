// Writes contracts/gen/openapi.json and docs/reference/api.md from the contracts; with --check only says whether they are up to date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadContracts } from './contracts.ts';
import { openApiDocument } from './document.ts';
import { apiReference } from './reference.ts';

const readIfThere = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

const contracts = loadContracts();
const outputs = [
  { name: 'contracts/gen/openapi.json', text: `${JSON.stringify(openApiDocument(contracts), null, 2)}\n` },
  { name: 'docs/reference/api.md', text: apiReference(contracts) },
];

for (const { name, text } of outputs) {
  const path = fileURLToPath(new URL(`../../${name}`, import.meta.url));
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readIfThere(path) !== text) {
    console.error(`${name} is out of date: run "node tools/openapi/main.ts"`);
    process.exitCode = 1;
  }
}
