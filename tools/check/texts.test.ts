import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogues } from './catalogues.ts';
import { isPermissive, licences } from './licences.ts';
import { lockfile } from './lockfile.ts';
import { says } from './planted.ts';
import { speech } from './speech.ts';

const lock = (packages: object) => ({ 'package-lock.json': JSON.stringify({ packages }, null, 2) });

for (const rule of [catalogues, speech, lockfile, licences]) {
  test(`the clean repository keeps ${rule.name}`, async (t) => assert.deepEqual(await says(t, rule, {}), []));
}

test('reports an error that two packages define', async (t) => {
  const found = await says(t, catalogues, {
    'platform/store/src/errors.ts':
      "export const a = defineErrors('STORE', {\n  NOT_FOUND: { code: 'not_found', text: 'x {id}' },\n});",
    'platform/saga/src/errors.ts':
      "export const a = defineErrors('STORE', {\n  OTHER: { code: 'internal', text: 'NO: {x}' },\n  NOT_FOUND: { code: 'x' },\n});",
  });
  assert.equal(found.length, 1);
  assert.match(
    found[0] ?? '',
    /store\/src\/errors\.ts:2 STORE_NOT_FOUND is defined in platform\/saga\/src\/errors\.ts too/,
  );
});

test('one key under two prefixes, and in tests, is fine', async (t) => {
  const define = (prefix: string) =>
    `export const a = defineErrors('${prefix}', { NOT_FOUND: { code: 'x', text: 'y' } });`;
  const files = {
    'platform/store/src/errors.ts': define('STORE'),
    'platform/saga/src/errors.ts': define('SAGA'),
    'platform/saga/src/a.test.ts': define('SAGA'),
  };
  assert.deepEqual(await says(t, catalogues, files), []);
});

test('reports paths of one machine in any file', async (t) => {
  const found = await says(t, speech, {
    'docs/a.md': `see\n${'/work'}/shared`,
    'docs/b.md': 'in framework/ and at work',
  });
  assert.equal(found.length, 1);
  assert.match(found[0] ?? '', /^docs\/a\.md:2 says/);
});

test('reports an address in the lockfile, not a link', async (t) => {
  const link = lock({ 'node_modules/@souk/kernel': { resolved: 'platform/kernel', link: true } });
  assert.deepEqual(await says(t, lockfile, link), []);
  const found = await says(t, lockfile, lock({ 'node_modules/a': { resolved: 'https://registry.example/a.tgz' } }));
  assert.match(found.join(), /package-lock\.json:4 names a registry/);
});

test('reports a lockfile that lacks the package of another platform', async (t) => {
  const tool = { optionalDependencies: { 'tool-linux': '1', 'tool-mac': '1' } };
  const half = lock({ 'node_modules/tool': tool, 'node_modules/tool-linux': {} });
  assert.match((await says(t, lockfile, half)).join(), /lacks tool-mac/);
  const whole = lock({
    'node_modules/tool': tool,
    'node_modules/tool-linux': {},
    'node_modules/tool/node_modules/tool-mac': {},
  });
  assert.deepEqual(await says(t, lockfile, whole), []);
});

test('reports a production dependency that is not permissively licensed, or says nothing', async (t) => {
  const found = await says(
    t,
    licences,
    lock({
      'node_modules/good': { license: 'MIT' },
      'node_modules/bad': { license: 'GPL-3.0-only' },
      'node_modules/silent': {},
      'node_modules/dev': { license: 'GPL-3.0-only', dev: true },
      'platform/kernel': { license: 'Secret' },
    }),
  );
  assert.deepEqual(
    found.map((line) => line.split(' has')[0]),
    ['package-lock.json:0 node_modules/bad', 'package-lock.json:0 node_modules/silent'],
  );
});

test('reads licence expressions', () => {
  for (const good of ['MIT', '(MIT OR GPL-2.0)', 'Apache-2.0 AND BSD-3-Clause', '(GPL-2.0 OR (MIT AND ISC))'])
    assert.ok(isPermissive(good), good);
  for (const bad of ['GPL-3.0', 'MIT AND GPL-2.0', '(MIT', 'MIT)', '', 'SEE LICENSE IN x', 'OR MIT'])
    assert.ok(!isPermissive(bad), bad);
});
