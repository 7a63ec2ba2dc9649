// Runs the suites of adapters that need an outside server (`*.infra.test.ts`), after seeing to it that the servers are there.

import { availableParallelism } from 'node:os';
import process from 'node:process';
import { installServers } from './infra-servers.ts';
import { runTests, selectTests } from './test-run.ts';

const files = selectTests(process.cwd(), ['infra'], process.argv.slice(2));
if (files.length === 0) {
  console.log('test:infra: no adapter needs an outside server, so there is nothing to run');
} else if (install()) {
  const good = await runTests({ files, workers: Math.min(2, availableParallelism()), timeoutMs: 240_000, names: [] });
  process.exitCode = good ? 0 : 1;
} else {
  process.exitCode = 1;
}

function install(): boolean {
  try {
    const { nats, rabbitmq } = installServers((line) => console.log(`test:infra: ${line}`));
    console.log(`test:infra: with ${nats} and ${rabbitmq}`);
    return true;
  } catch (error) {
    console.error(`test:infra: ${(error as Error).message}`);
    return false;
  }
}
