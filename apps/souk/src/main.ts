import process from 'node:process';
import { main } from './cli/main.ts';

// Whoever read our output, such as `head`, has had enough: that is no failure, and what runs goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await main(process.argv.slice(2));
