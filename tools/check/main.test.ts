import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from './command.ts';
import { plant } from './planted.ts';

const main = join(import.meta.dirname, 'main.ts');

test('prints a line per rule, then each violation, and ends with 1', async (t) => {
  const root = plant(t, { 'platform/store/src/a.ts': 'let count = 0;\n' });
  const { status, stdout } = await run(root, process.execPath, [main, 'layers', 'bans']);
  assert.equal(status, 1);
  assert.match(stdout, /^ok {5}layers \d+ ms$/m);
  assert.match(stdout, /^failed bans \d+ ms$/m);
  assert.match(stdout, /^platform\/store\/src\/a\.ts:1 bans: let count is state of the module/m);
  assert.match(stdout, /^check: 1 violations$/m);
});

test('ends with 0 when all is well, and with 2 for a rule that does not exist', async (t) => {
  const root = plant(t, {});
  assert.equal((await run(root, process.execPath, [main, 'layers', 'cycles', 'structure'])).status, 0);
  assert.equal((await run(root, process.execPath, [main, 'nonsense'])).status, 2);
});
