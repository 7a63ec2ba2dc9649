// Runs the suites of adapters that need an outside server (`*.infra.test.ts`), after seeing to it that the servers are there.

import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { runTests, selectTests } from './test-run.ts';

const files = selectTests(process.cwd(), ['infra'], process.argv.slice(2));
if (files.length === 0) {
  console.log('test:infra: no suite needs an outside server, so there is nothing to run');
} else if (install()) {
  // The longest first, so that it does not end up alone.
  files.sort((a, b) => Number(b.includes('rabbitmq')) - Number(a.includes('rabbitmq')));
  const good = await runTests({ files, workers: Math.min(2, availableParallelism()), timeoutMs: 180_000, names: [] });
  process.exitCode = good ? 0 : 1;
} else {
  process.exitCode = 1;
}

function install(): boolean {
  const script = join(import.meta.dirname, '../tests/support/install-servers.ts');
  return spawnSync(process.execPath, [script], { stdio: 'inherit' }).status === 0;
}
