import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dependencies } from './dependencies.ts';
import { says } from './planted.ts';

test('accepts what is declared, built in, relative, or the own package', async (t) => {
  const source = "import 'node:fs';\nimport './b.ts';\nimport 'pg';\nimport 'pg/sub';\nimport '@souk/store';\n";
  assert.deepEqual(await says(t, dependencies, { 'adapters/postgres/src/a.ts': source }), []);
});

test('reports a library and a package of ours that are not declared', async (t) => {
  const found = await says(t, dependencies, {
    'platform/store/src/a.ts': "import 'pg/sub';\nimport type { X } from '@souk/saga';\n",
  });
  assert.deepEqual(found, [
    'platform/store/src/a.ts:1 pg is not declared: add it to platform/store/package.json',
    'platform/store/src/a.ts:2 @souk/saga is not declared: add it to platform/store/package.json',
  ]);
});

test('a test may use what the root declares and our packages, nothing else', async (t) => {
  const source = "import fc from 'fast-check';\nimport '@souk/testkit';\nimport 'unknown';\n";
  const found = await says(t, dependencies, { 'platform/store/src/a.test.ts': source });
  assert.deepEqual(found, [
    'platform/store/src/a.test.ts:3 unknown is not declared: add it to the package.json at the root',
  ]);
});

test('reports a built-in module without its prefix', async (t) => {
  const found = await says(t, dependencies, { 'platform/store/src/a.ts': "import 'fs';\n" });
  assert.deepEqual(found, ['platform/store/src/a.ts:1 write node:fs']);
});
