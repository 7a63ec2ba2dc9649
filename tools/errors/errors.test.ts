import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { errorPage } from '../check/error-reference.ts';
import { readTree } from '../check/tree.ts';
import { readCatalogues } from './catalogues.ts';
import { errorReference } from './reference.ts';

const home = resolve(import.meta.dirname, '..', '..');

/** A repository of one package, with a catalogue of its own. */
function planted(errors: string): { root: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), 'souk-errors-'));
  const put = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  symlinkSync(join(home, 'node_modules'), join(root, 'node_modules'));
  mkdirSync(join(root, 'platform'));
  symlinkSync(join(home, 'platform', 'rpc'), join(root, 'platform', 'rpc'));
  put('services/lamps/package.json', JSON.stringify({ name: '@souk/service-lamps', type: 'module' }));
  put('services/lamps/src/errors.ts', `import { defineErrors } from '@souk/kernel';\n${errors}`);
  return { root, remove: () => rmSync(root, { recursive: true }) };
}

test('each entry is listed with its code, status, retry and placeholders', async () => {
  const { root, remove } = planted(
    `export const lampErrors = defineErrors('LAMPS', {
      NOT_FOUND: { code: 'not_found', text: 'there is no lamp {id}' },
      STALE: { code: 'failed_precondition', text: 'it changed', http: 412 },
      DARK: { code: 'unavailable', text: 'a|b', retry: 'unknownOutcome' },
    });
    export const settings = { a: 1 };`,
  );
  const catalogues = await readCatalogues(readTree(root)).finally(remove);
  const text = errorReference(catalogues);
  assert.match(text, /^## services\/lamps$/m);
  assert.match(text, /^\| `LAMPS_NOT_FOUND` \| not_found \| 404 \| never \| there is no lamp \{id\} \|$/m);
  assert.match(text, /^\| `LAMPS_STALE` \| failed_precondition \| 412 \| never \| it changed \|$/m);
  assert.match(text, /^\| `LAMPS_DARK` \| unavailable \| 503 \| unknown outcome \| a\\\|b \|$/m);
  assert.equal(catalogues.length, 1);
});

test('a page that is older than the catalogues is a violation', async () => {
  const { root, remove } = planted(
    `export const lampErrors = defineErrors('LAMPS', { BROKEN: { code: 'internal', text: 'it broke' } });`,
  );
  const page = join(root, 'docs', 'reference', 'errors.md');
  mkdirSync(join(page, '..'), { recursive: true });
  try {
    writeFileSync(page, 'old');
    assert.equal((await errorPage.run(readTree(root))).length, 1);
    writeFileSync(page, errorReference(await readCatalogues(readTree(root))));
    assert.deepEqual(await errorPage.run(readTree(root)), []);
  } finally {
    remove();
  }
});

test('every catalogue of the repository is on the page', async () => {
  const tree = readTree(home);
  const defining = tree.modules.filter(
    ({ code, owner, isTest }) => owner !== undefined && !isTest && /(?<![\w$.])defineErrors\s*\(\s*['"]/.test(code),
  );
  const listed = new Set(
    (await readCatalogues(tree)).filter(({ entries }) => entries.length > 0).map(({ dir }) => dir),
  );
  assert.ok(listed.size > 10);
  assert.deepEqual(
    defining.map(({ owner }) => owner?.dir as string).filter((dir) => !listed.has(dir)),
    [],
  );
});
