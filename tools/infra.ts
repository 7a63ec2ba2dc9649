// Runs the suites of adapters that need an outside server (`*.infra.test.ts`).

import process from 'node:process';
import { runTests, selectTests } from './test-run.ts';

const files = selectTests(process.cwd(), ['infra'], process.argv.slice(2));
if (files.length === 0) console.log('test:infra: no adapter needs an outside server yet, so there is nothing to run');
else process.exitCode = (await runTests({ files, workers: 1, timeoutMs: 300_000, names: [] })) ? 0 : 1;
