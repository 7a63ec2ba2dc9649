// `npm run contracts:release`: what the contracts say now becomes what later changes are compared with. Refuses a breaking change
// unless `--allow-breaking` says that no client and no stored event depends on it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { run } from './check/command.ts';
import { baseline } from './check/contracts.ts';

const root = process.cwd();

async function release(): Promise<string | undefined> {
  if (existsSync(join(root, baseline)) && !process.argv.includes('--allow-breaking')) {
    const { status, stdout, stderr } = await run(root, 'buf', ['breaking', '--against', baseline]);
    if (status !== 0)
      return `${stdout}${stderr}contracts:release: breaks what is released; keep the old and add the new`;
  }
  // Without source positions the image changes only when the contracts do.
  const { status, stderr } = await run(root, 'buf', ['build', '--exclude-source-info', '-o', baseline]);
  return status === 0 ? undefined : `${stderr}contracts:release: the contracts do not build`;
}

const problem = await release();
if (problem === undefined) console.log(`contracts:release: wrote ${baseline}; commit it`);
else console.error(problem);
process.exitCode = problem === undefined ? 0 : 1;
