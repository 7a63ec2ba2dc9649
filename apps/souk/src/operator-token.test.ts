import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemRuntime } from '@souk/kernel';
import { ensureOperatorToken, readOperatorToken } from './operator-token.ts';

const { random } = systemRuntime();

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'souk-test-'));
  t.after(() => rmSync(path, { recursive: true }));
  return join(path, 'data');
}

test('the token is made once, long, and readable by its own user only', (t) => {
  const data = folder(t);
  const token = ensureOperatorToken(data, random);
  assert.ok(token.length >= 40);
  assert.equal(ensureOperatorToken(data, random), token);
  assert.equal(readOperatorToken(data), token);
  assert.equal(statSync(join(data, 'operator-token')).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(data), ['operator-token']);
});

test('an empty file, as a crash may leave it, is replaced, whatever its mode', (t) => {
  const data = folder(t);
  ensureOperatorToken(data, random);
  writeFileSync(join(data, 'operator-token'), '');
  rmSync(join(data, 'operator-token'));
  writeFileSync(join(data, 'operator-token'), '\n', { mode: 0o644 });
  const token = ensureOperatorToken(data, random);
  assert.equal(readFileSync(join(data, 'operator-token'), 'utf8'), `${token}\n`);
  assert.equal(statSync(join(data, 'operator-token')).mode & 0o777, 0o600);
});

test('two shops have two tokens', (t) => {
  assert.notEqual(ensureOperatorToken(folder(t), random), ensureOperatorToken(folder(t), random));
});

test('where there is none, it says which folder was looked into', (t) => {
  const data = folder(t);
  assert.throws(() => readOperatorToken(data), { reason: 'APP_NO_OPERATOR', message: new RegExp(data) });
});
