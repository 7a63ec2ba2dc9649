import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cycles } from './cycles.ts';
import { says } from './planted.ts';

const at = 'platform/store/src';

test('reports a circle of files once, with the way round', async (t) => {
  const found = await says(t, cycles, {
    [`${at}/a.ts`]: "import './b.ts';",
    [`${at}/b.ts`]: "import './c.ts';",
    [`${at}/c.ts`]: "\nexport { x } from './a.ts';",
  });
  assert.equal(found.length, 1);
  assert.match(
    found[0] ?? '',
    new RegExp(`^${at}/c.ts:2 files .*: ${at}/a.ts -> ${at}/b.ts -> ${at}/c.ts -> ${at}/a.ts;`),
  );
});

test('reports a file that imports itself', async (t) => {
  assert.equal((await says(t, cycles, { [`${at}/a.ts`]: "import './a.ts';" })).length, 1);
});

test('imports of types only and dynamic imports close no circle', async (t) => {
  const types = { [`${at}/a.ts`]: "import './b.ts';", [`${at}/b.ts`]: "import type { A } from './a.ts';" };
  assert.deepEqual(await says(t, cycles, types), []);
  const dynamic = { [`${at}/a.ts`]: "import './b.ts';", [`${at}/b.ts`]: "await import('./a.ts');" };
  assert.deepEqual(await says(t, cycles, dynamic), []);
});

test('two ways to one file are no circle', async (t) => {
  const files = {
    [`${at}/a.ts`]: "import './b.ts';\nimport './c.ts';",
    [`${at}/b.ts`]: "import './c.ts';",
    [`${at}/c.ts`]: '',
  };
  assert.deepEqual(await says(t, cycles, files), []);
});

test('reports a circle of packages, even of types; what tests import does not count', async (t) => {
  const there = { 'platform/store/src/a.ts': "import { x } from '@souk/kernel';" };
  const back = "import type { X } from '@souk/store';";
  const found = await says(t, cycles, { ...there, 'platform/kernel/src/a.ts': back });
  assert.match(found.join(), /packages import each other in a circle: @souk\/kernel -> @souk\/store -> @souk\/kernel/);
  assert.deepEqual(await says(t, cycles, { ...there, 'platform/kernel/src/a.test.ts': back }), []);
});
