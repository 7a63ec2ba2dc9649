// Runs the repository's tests: `npm test`, `npm test -- platform/saga`, `npm test -- --name "keeps order" platform`.
// Prints what fails and the runner's closing lines, nothing else; the exit code is 1 when anything failed or nothing ran.

import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { kinds, runTests, selectTests, type TestKind } from './test-run.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kind: { type: 'string', multiple: true, default: ['unit', 'int', 'e2e'] },
    name: { type: 'string', multiple: true, default: [] },
    timeout: { type: 'string', default: '240' },
    workers: { type: 'string', default: String(Math.max(2, Math.min(8, availableParallelism()))) },
    slowest: { type: 'string', default: '0' },
    long: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

// Whoever reads us has seen enough, e.g. `npm test | head`.
process.stdout.on('error', () => process.exit(1));

const unknown = values.kind.find((kind) => !(kinds as readonly string[]).includes(kind));
const timeoutMs = Number(values.timeout) * 1000;
const workers = Number(values.workers);
const slowest = Number(values.slowest);
if (unknown !== undefined) usage(`--kind: want ${kinds.join(', ')}, got ${unknown}`);
if (!(timeoutMs > 0)) usage(`--timeout: want seconds above 0, got ${values.timeout}`);
if (!(Number.isInteger(workers) && workers > 0)) usage(`--workers: want a whole number above 0, got ${values.workers}`);
if (!(Number.isInteger(slowest) && slowest >= 0)) usage(`--slowest: want a whole number, got ${values.slowest}`);

const files = selectTests(process.cwd(), values.kind as TestKind[], positionals);
if (values.list) console.log(files.join('\n'));
else if (files.length === 0) usage(`no test file matches ${positionals.join(' ') || 'these kinds'}`);
else
  process.exitCode = (await runTests({ files, workers, timeoutMs, names: values.name, slowest, long: values.long }))
    ? 0
    : 1;

function usage(problem: string): never {
  console.error(
    `test: ${problem}\nusage: npm test -- [--kind ${kinds.join('|')}]... [--name pattern]... [--timeout seconds] [--slowest files] [--long] [path part]...`,
  );
  process.exit(2);
}
