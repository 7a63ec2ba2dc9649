import assert from 'node:assert/strict';
import { test } from 'node:test';
import { says } from './planted.ts';
import { structure } from './structure.ts';

test('the clean repository is well structured', async (t) => {
  assert.deepEqual(await says(t, structure, {}), []);
});

test('reports a package without README or index; contracts need no index', async (t) => {
  const found = await says(t, structure, { 'platform/cache/package.json': '{"name":"@souk/cache"}' });
  assert.deepEqual(
    found.map((line) => line.split(':')[0]),
    ['platform/cache/README.md', 'platform/cache/src/index.ts'],
  );
});

test('reports file names that are not in kebab-case, and leaves other files alone', async (t) => {
  const found = await says(t, structure, {
    'platform/store/src/unitOfWork.ts': '',
    'platform/store/src/Thing.test.ts': '',
    'platform/store/src/unit-of-work.int.test.ts': '',
    'services/orders/src/store/migrations/0001_create.sql': '',
    'docs/HOW_TO.md': '',
  });
  assert.deepEqual(
    found.map((line) => line.split(':')[0]),
    ['platform/store/src/Thing.test.ts', 'platform/store/src/unitOfWork.ts'],
  );
});

test('500 lines are the most; generated files may be longer', async (t) => {
  const lines = (count: number) => 'x;\n'.repeat(count);
  const files = { 'platform/store/src/a.ts': lines(500), 'contracts/gen/a_pb.js': lines(900) };
  assert.deepEqual(await says(t, structure, files), []);
  assert.match((await says(t, structure, { 'platform/store/src/a.ts': lines(501) })).join(), /a\.ts:501 has 501 lines/);
});

test('reports export * in a package', async (t) => {
  const found = await says(t, structure, { 'platform/store/src/index.ts': "// export *\nexport * from './a.ts';\n" });
  assert.match(found.join(), /index\.ts:2 exports \*/);
});
