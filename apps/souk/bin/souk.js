#!/usr/bin/env node
// Runs the command on the Node.js that comes with the installation, whatever `node` the shell found: an older one cannot run TypeScript.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = [24, 17];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);

if (isNewEnough) {
  // Types are stripped and modules compiled once, not at each start: a split shop starts ten processes.
  module.enableCompileCache?.();
  await import('../src/main.ts');
} else {
  const bin = join(dirname(fileURLToPath(import.meta.url)), '../../../node_modules/.bin');
  const node = join(bin, process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(node)) {
    console.error(
      `souk needs Node.js ${OLDEST.join('.')} or newer, and this is ${process.versions.node}. Run "npm start" once: it brings its own.`,
    );
    process.exit(1);
  }
  const result = spawnSync(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  });
  // As a shell says it: 128 and the number of the signal.
  process.exit(result.status ?? 128 + (constants.signals[result.signal] ?? 0));
}
