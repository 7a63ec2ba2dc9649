// `npm run check`: every rule of the repository at once. `npm run check -- layers bans` runs those alone.

import { availableParallelism } from 'node:os';
import process from 'node:process';
import { bansRule } from './bans.ts';
import { catalogues } from './catalogues.ts';
import { biome, types } from './compilers.ts';
import { contractsBreaking, contractsGenerated, contractsLint, openApi } from './contracts.ts';
import { cycles } from './cycles.ts';
import { dependencies } from './dependencies.ts';
import { errorPage } from './error-reference.ts';
import { layers } from './layers.ts';
import { licences } from './licences.ts';
import { lockfile } from './lockfile.ts';
import type { Rule, Violation } from './rule.ts';
import { speech } from './speech.ts';
import { splitSafety } from './split-safety.ts';
import { structure } from './structure.ts';
import { readTree, type Tree } from './tree.ts';

/** The ones that wait for another process come first, so that the rest fills the time. */
const slow = [types, biome, contractsGenerated, openApi, contractsLint, contractsBreaking];
const quick = [
  layers,
  dependencies,
  cycles,
  bansRule,
  splitSafety,
  structure,
  catalogues,
  errorPage,
  speech,
  lockfile,
  licences,
];
const rules = [...slow, ...quick];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !rules.some((rule) => rule.name === name));
if (unknown.length > 0) {
  console.error(
    `check: no rule is called ${unknown.join(', ')}; there are ${rules.map(({ name }) => name).join(', ')}`,
  );
  process.exit(2);
}

const tree = readTree(process.cwd());
const queue = rules.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const found: string[] = [];
const worker = async () => {
  for (let rule = queue.shift(); rule !== undefined; rule = queue.shift()) found.push(...(await runRule(rule, tree)));
};
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));

if (found.length > 0) console.log(`\n${found.join('\n')}`);
console.log(found.length === 0 ? '\ncheck: all rules are kept' : `\ncheck: ${found.length} violations`);
process.exitCode = found.length === 0 ? 0 : 1;

async function runRule(rule: Rule, on: Tree): Promise<string[]> {
  const begun = performance.now();
  const violations = await Promise.resolve(rule.run(on)).catch((error: unknown): Violation[] => [
    { path: `tools/check (${rule.name})`, line: 0, message: `the rule itself failed: ${error}` },
  ]);
  const ms = Math.round(performance.now() - begun);
  console.log(`${violations.length === 0 ? 'ok    ' : 'failed'} ${rule.name} ${ms} ms`);
  return violations.map(({ path, line, message }) => `${line > 0 ? `${path}:${line}` : path} ${rule.name}: ${message}`);
}
