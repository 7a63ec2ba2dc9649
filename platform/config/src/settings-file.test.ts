import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readEnvironment } from './environment.ts';
import { readSettingsFile } from './settings-file.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'souk-config-'));
});
after(() => rm(folder, { recursive: true }));

test('a file is read whole', async () => {
  const path = join(folder, 'souk.json');
  await writeFile(path, '{}');
  assert.deepEqual(await readSettingsFile(path, { required: true }), { path, text: '{}' });
});

test('a missing file is an error only where somebody named it', async () => {
  const path = join(folder, 'none.json');
  assert.equal(await readSettingsFile(path, { required: false }), undefined);
  await assert.rejects(readSettingsFile(path, { required: true }), {
    reason: 'CONFIG_FILE_UNREADABLE',
    message: `cannot read the settings file ${path}: there is no such file`,
  });
});

test('a file that cannot be read is an error in any case', async () => {
  await assert.rejects(readSettingsFile(folder, { required: false }), { reason: 'CONFIG_FILE_UNREADABLE' });
});

test('the environment is a frozen copy', () => {
  const env = readEnvironment();
  assert.equal(env.PATH, process.env.PATH);
  assert.ok(Object.isFrozen(env));
});
