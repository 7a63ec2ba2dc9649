import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { run } from './check/command.ts';
import { kindOf, selectTests } from './test-run.ts';

const passes = "import { test } from 'node:test';\nconsole.log('noise');\ntest('is fine', () => {});\n";
const fails =
  "import { test } from 'node:test';\nconsole.log('why it broke');\ntest('is wrong', () => { throw new Error('boom'); });\n";
const hangs =
  "import { createServer } from 'node:http';\nimport { test } from 'node:test';\ntest('ends', () => { createServer().listen(0); });\n";

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'souk-test-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** As from a shell: without the mark that tells node's runner it runs inside of another one. */
async function runner(root: string, ...args: string[]) {
  const script = join(import.meta.dirname, 'test.ts');
  return run(root, '/usr/bin/env', ['-u', 'NODE_TEST_CONTEXT', process.execPath, script, ...args]);
}

const closing = (out: string): Record<string, number> =>
  Object.fromEntries(
    [...out.matchAll(/^ℹ (tests|pass|fail|cancelled) (\d+)$/gm)].map(([, name, count]) => [name, Number(count)]),
  );

test('the file name tells the kind', () => {
  const names = ['a.test.ts', 'a.int.test.ts', 'a.e2e.test.ts', 'a.chaos.test.ts', 'a.infra.test.ts', 'a.b.test.ts'];
  assert.deepEqual(names.map(kindOf), ['unit', 'int', 'e2e', 'chaos', 'infra', 'unit']);
});

test('selects by kind and path, slow kinds first, never from node_modules', (t) => {
  const paths = [
    'platform/a/src/x.test.ts',
    'services/b/test/y.int.test.ts',
    'tests/c/z.chaos.test.ts',
    'platform/a/node_modules/d/w.test.ts',
    'docs/v.test.ts',
  ];
  const root = folder(t, Object.fromEntries(paths.map((path) => [path, ''])));
  assert.deepEqual(selectTests(root, ['unit', 'int', 'e2e'], []), [paths[1], paths[0]]);
  assert.deepEqual(selectTests(root, ['unit', 'int'], ['./platform/a']), [paths[0]]);
  assert.deepEqual(selectTests(root, ['chaos'], []), [paths[2]]);
});

test('prints the closing lines alone when all is well', async (t) => {
  const root = folder(t, { 'tools/a.test.ts': passes, 'platform/b.int.test.ts': passes });
  const { status, stdout } = await runner(root);
  assert.equal(status, 0);
  assert.deepEqual(closing(stdout), { tests: 2, pass: 2, fail: 0, cancelled: 0 });
  assert.doesNotMatch(stdout, /noise|is fine/);
});

test('shows a failure with what its file printed, and ends with 1', async (t) => {
  const root = folder(t, {
    'tools/a.test.ts': passes,
    'tools/b.test.ts': fails,
    'tools/c.test.ts': "throw new Error('on load');",
  });
  const { status, stdout } = await runner(root);
  assert.equal(status, 1);
  assert.deepEqual(closing(stdout), { tests: 3, pass: 1, fail: 2, cancelled: 0 });
  assert.match(stdout, /why it broke[\s\S]*is wrong[\s\S]*boom/);
  assert.match(stdout, /on load/);
  assert.doesNotMatch(stdout, /noise|is fine/);
});

test('stops a file that does not end, and names it', async (t) => {
  const root = folder(t, { 'tools/a.test.ts': hangs });
  const { status, stdout } = await runner(root, '--timeout', '0.5');
  assert.equal(status, 1);
  assert.match(stdout, /tools\/a\.test\.ts was still running after 0\.5 s and was stopped/);
});

test('runs only what the filter and the name pattern choose; nothing to run is an error', async (t) => {
  const root = folder(t, { 'tools/a.test.ts': passes, 'tools/b.test.ts': fails });
  assert.equal((await runner(root, 'tools/a')).status, 0);
  assert.equal((await runner(root, '--name', 'is fine')).status, 0);
  assert.equal((await runner(root, 'tools/nothing')).status, 2);
  assert.equal((await runner(root, '--kind', 'nonsense')).status, 2);
});
