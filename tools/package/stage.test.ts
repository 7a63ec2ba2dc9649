import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { run } from '../check/command.ts';
import { stage } from './stage.ts';

const root = join(import.meta.dirname, '..', '..');

test('a package that is not there, or imports what cannot come along, is refused in words', async (t) => {
  const unknown = await run(root, process.execPath, ['tools/package/main.ts', 'kitchen']);
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /^package: no recipe for kitchen; there are: resilience/);

  const other = mkdtempSync(join(tmpdir(), 'souk-package-root-'));
  t.after(() => rmSync(other, { recursive: true, force: true }));
  cpSync(join(root, 'platform', 'kernel', 'src'), join(other, 'platform', 'kernel', 'src'), { recursive: true });
  const source = join(other, 'platform', 'kitchen', 'src');
  mkdirSync(source, { recursive: true });
  const staging = { root: other, name: 'kitchen', kernelNames: [], folder: join(other, 'staged') };
  writeFileSync(join(source, 'index.ts'), "export { cook } from 'stove';\n");
  assert.throws(() => stage(staging), /platform\/kitchen\/src\/index\.ts imports stove: only @souk\/kernel/);
  writeFileSync(join(source, 'index.ts'), "import { nothing } from '@souk/kernel';\nexport const cook = nothing;\n");
  assert.throws(() => stage(staging), /@souk\/kernel exports no nothing/);
});
