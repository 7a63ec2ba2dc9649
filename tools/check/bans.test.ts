import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bansRule } from './bans.ts';
import { check, says } from './planted.ts';

const path = 'platform/store/src/a.ts';
const forbidden = [
  'const at = Date.now();',
  'const at = new Date();',
  'const at = Date();',
  'const at = performance.now();',
  'const at = process.hrtime.bigint();',
  'setTimeout(f, 1);',
  'globalThis.setTimeout(f, 1);',
  'setInterval(f, 1);',
  'setImmediate(f);',
  'const signal = AbortSignal.timeout(5);',
  "import { setTimeout as sleep } from 'node:timers/promises';",
  'const x = Math.random();',
  'const x = crypto.randomUUID();',
  "import { randomBytes } from 'node:crypto';",
  'crypto.getRandomValues(bytes);',
  'const x = process.env.HOME;',
  'const { HOME } = process.env;',
  "import { env } from 'node:process';",
  "throw new Error('x');",
  "throw new TypeError('x');",
  "throw Error('x');",
  "console.log('x');",
  'let count = 0;',
  'export let count = 0;',
  'var count = 0;',
  'const seen = new Map<string, number>(); function f() { seen.set(1, 2); }',
  'export const seen: Set<string> = new Set(); const f = () => seen.add(1);',
  'const list: string[] = []; function f() { list.push(1); }',
  'const last = {}; function f() { last.at = 1; }',
  'const last: Record<string, number> = {}; function f() { last[key] = 1; }',
  'const counts: Record<string, number> = {}; function f() { counts[key]++; }',
];
for (const source of forbidden) {
  test(`forbids ${source}`, async (t) => {
    const found = await check(t, bansRule, { [path]: `// head\n${source}\n` });
    assert.deepEqual(
      found.map((one) => [one.path, one.line]),
      [[path, 2]],
      JSON.stringify(found),
    );
  });
}

const permitted = [
  'const at = new Date(ms);',
  'const at = clock.now();',
  "log('Date.now()'); // setTimeout(f, 1)",
  'timers.setTimeout(f, 1);',
  'interface Options { setTimeout?: number; console: string }',
  'const mine = myrandomUUIDs;',
  'throw storeErrors.NOT_FOUND({ id });',
  'if (x) throw cause;',
  'throw fromWireError(bytes);',
  'function f() { let count = 0; count += 1; return count; }',
  'const names = new Set([1]); const f = () => names.has(1);',
  'const table: Record<string, number> = {}; table.x = 1;',
  'const memo = new WeakMap(); function f(key: object) { memo.set(key, 1); }',
  'const table = [1]; function f() { return table[0] === 1 || table.length >= 2; }',
  'const f = (list: string[] = []) => { list.push(1); };',
  'class A { #seen = new Map(); add() { this.#seen.set(1, 2); } }',
];
for (const source of permitted) {
  test(`permits ${source}`, async (t) => assert.deepEqual(await says(t, bansRule, { [path]: source }), []));
}

test('owners may what nobody else may', async (t) => {
  const files = {
    'platform/kernel/src/system-time.ts': 'const at = Date.now();\nsetTimeout(f, 1);\n',
    'apps/souk/src/main.ts': "console.log(process.env.HOME, Date.now());\nthrow new Error('x');\n",
  };
  assert.deepEqual(await says(t, bansRule, files), []);
});

test('tests may read the clock and throw, but a unit test does not sleep', async (t) => {
  const fine = "const at = Date.now();\nthrow new Error('x');\nsetImmediate(f);\nlet count = 0;\n";
  const sleep = 'await new Promise((done) => setTimeout(done, 50));\n';
  assert.deepEqual(await says(t, bansRule, { 'platform/store/src/a.test.ts': fine }), []);
  assert.equal((await says(t, bansRule, { 'platform/store/src/a.test.ts': sleep })).length, 1);
  assert.equal(
    (await says(t, bansRule, { 'platform/store/src/a.test.ts': "import { setTimeout } from 'node:timers/promises';" }))
      .length,
    1,
  );
  assert.deepEqual(
    await says(t, bansRule, { 'platform/store/src/a.int.test.ts': sleep, 'tests/e2e/a.e2e.test.ts': sleep }),
    [],
  );
});

test('an assertion that nobody awaits is reported, an awaited or returned one is not', async (t) => {
  const file = 'platform/store/src/a.test.ts';
  assert.equal((await says(t, bansRule, { [file]: 'test(n, async () => {\n  assert.rejects(f);\n});' })).length, 1);
  assert.deepEqual(
    await says(t, bansRule, {
      [file]: 'test(n, async () => {\n  await assert.rejects(f);\n});\ntest(n, () => assert.rejects(f));',
    }),
    [],
  );
});
