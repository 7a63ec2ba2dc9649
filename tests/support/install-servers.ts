// Fetches the outside servers that are missing; what `npm run test:infra` does first. Ends with 1 when it cannot.

import process from 'node:process';
import { installServers } from './infra-servers.ts';

const say = (line: string) => console.log(`test:infra: ${line}`);
try {
  const found = installServers(say);
  say(`with ${Object.values(found).join(', ')}`);
} catch (error) {
  console.error(`test:infra: ${(error as Error).message}`);
  process.exitCode = 1;
}
