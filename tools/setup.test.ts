import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type TestContext, test } from 'node:test';
import { run } from './check/command.ts';

const lock =
  '{ "packages": { "node_modules/a": { "version": "1.0.0" }, "node_modules/mac": { "version": "1.0.0", "optional": true } } }';
const stampOf = (root: string) =>
  JSON.parse(readFileSync(join(root, 'node_modules/.souk-setup.json'), 'utf8')) as { lock: string; runtime: string };

interface World {
  readonly root: string;
  readonly setup: () => ReturnType<typeof run>;
  /** How often npm was called. */
  readonly calls: () => number;
}

/** A checkout and an `npm` that does what the shell lines say, in the root. */
function world(t: TestContext, npm: string): World {
  const root = mkdtempSync(join(tmpdir(), 'souk-setup-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const bin = join(root, 'bin');
  mkdirSync(bin);
  writeFileSync(join(root, 'package-lock.json'), lock);
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\necho call >> ${root}/calls\n${npm}\n`);
  chmodSync(join(bin, 'npm'), 0o755);
  const env = [`SOUK_SETUP_ROOT=${root}`, `PATH=${bin}:${process.env.PATH}`, 'npm_execpath=', 'npm_node_execpath='];
  const script = join(import.meta.dirname, 'setup.mjs');
  return {
    root,
    setup: () => run(root, '/usr/bin/env', [...env, process.execPath, script]),
    calls: () =>
      existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').trim().split('\n').length : 0,
  };
}

const node = (version: string) =>
  `mkdir -p node_modules/.bin && printf '#!/bin/sh\\necho ${version}\\n' > node_modules/.bin/node && chmod +x node_modules/.bin/node`;

test('installs once, then does nothing and says nothing', async (t) => {
  const { root, setup, calls } = world(t, node('v26.1.0'));
  const first = await setup();
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stderr, /installing the locked packages[\s\S]*packages are installed \(\d+\.\d s\)/);
  assert.equal(stampOf(root).lock, createHash('sha256').update(lock).digest('hex'));
  assert.deepEqual(await setup(), { status: 0, stdout: '', stderr: '' });
  assert.equal(calls(), 1);
});

test('installs again when the lockfile changed', async (t) => {
  const { root, setup, calls } = world(t, node('v26.1.0'));
  await setup();
  writeFileSync(join(root, 'package-lock.json'), `${lock}\n`);
  assert.equal((await setup()).status, 0);
  assert.equal(calls(), 2);
});

test('takes over what was installed by hand when it is what the lockfile says', async (t) => {
  const { root, setup, calls } = world(t, 'exit 1');
  mkdirSync(join(root, 'node_modules/a'), { recursive: true });
  writeFileSync(
    join(root, 'node_modules/.package-lock.json'),
    '{ "packages": { "node_modules/a": { "version": "1.0.0" } } }',
  );
  assert.equal((await setup()).status, 0);
  assert.equal(calls(), 0);
  writeFileSync(join(root, 'package-lock.json'), lock.replace('1.0.0', '1.0.1'));
  assert.equal((await setup()).status, 1);
  assert.equal(calls(), 1);
});

test('I1 an install that was cut short is begun anew', async (t) => {
  const { root, setup, calls } = world(
    t,
    `[ -e again ] && { ${node('v26.1.0')}; exit; }; touch again; mkdir -p node_modules/half; kill -9 $$`,
  );
  const cut = await setup();
  assert.equal(cut.status, 1);
  assert.match(cut.stderr, /interrupted: run the command again/);
  assert.ok(!existsSync(join(root, 'node_modules/.souk-setup.json')));
  assert.equal((await setup()).status, 0);
  assert.equal(calls(), 2);
});

test('I2 a second set-up waits for the first and then has nothing to do', async (t) => {
  const { setup, calls } = world(t, `sleep 1; ${node('v26.1.0')}`);
  const both = await Promise.all([setup(), setup()]);
  assert.deepEqual(
    both.map(({ status }) => status),
    [0, 0],
  );
  assert.equal(calls(), 1);
  assert.equal(both.filter(({ stderr }) => stderr.includes('waiting for the set-up that process')).length, 1);
});

test('takes over the lock of a process that is gone', async (t) => {
  const { root, setup } = world(t, node('v26.1.0'));
  mkdirSync(join(root, '.souk'));
  writeFileSync(join(root, '.souk/setup.lock'), '{"pid":999999999}');
  assert.equal((await setup()).status, 0);
  assert.ok(!existsSync(join(root, '.souk/setup.lock')));
});

for (const [said, hint] of [
  ['npm error code ENOTFOUND', /registry cannot be reached: check the network/],
  ['npm error code ENOSPC', /disk is full/],
  ['npm error code EROFS', /cannot be written/],
  ['npm error code EUSAGE', /disagree: run "npm install"/],
  ['something else', /npm ci ended with 7: run "npm ci"/],
] as const) {
  test(`says in one line what to do about: ${said}`, async (t) => {
    const { root, setup } = world(t, `echo '${said}' >&2; exit 7`);
    const { status, stderr } = await setup();
    assert.equal(status, 1);
    assert.match(stderr.trim().split('\n').at(-1) ?? '', hint);
    assert.match(readFileSync(join(root, '.souk/setup.log'), 'utf8'), new RegExp(said));
  });
}

test('goes on with the Node.js at hand where there is no packaged one, or where that one cannot run', async (t) => {
  const none = world(t, 'mkdir -p node_modules');
  assert.equal((await none.setup()).status, 0);
  assert.equal(stampOf(none.root).runtime, 'installed');
  const broken = world(t, `${node('v26.1.0')}; echo 'exit 127' > node_modules/.bin/node`);
  assert.equal((await broken.setup()).status, 0);
  assert.ok(!existsSync(join(broken.root, 'node_modules/.bin/node')));
});

test('says plainly that the lockfile is missing', async (t) => {
  const { root, setup } = world(t, 'exit 0');
  rmSync(join(root, 'package-lock.json'));
  assert.match((await setup()).stderr, /package-lock\.json is missing: get it back/);
});
