import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, test } from 'node:test';
import { hasReason } from '@souk/kernel';
import { lockFolder } from './lock.ts';
import { identify } from './process.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'souk-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const inUse = (error: unknown): boolean => hasReason(error, 'EMBEDDED_POSTGRES_IN_USE');
const write = (text: string): void => writeFileSync(join(folder, 'souk.lock'), text);

test('a folder is locked until it is let go, and nothing stays behind', () => {
  const unlock = lockFolder(folder);
  assert.throws(() => lockFolder(folder), inUse);
  unlock();
  assert.deepEqual(readdirSync(folder), []);
  lockFolder(folder)();
});

test('a second refusal names the process that holds the folder', () => {
  const unlock = lockFolder(folder);
  assert.throws(() => lockFolder(folder), new RegExp(`process ${process.pid}\\b`));
  unlock();
});

test('the lock of a process that is gone is taken over', () => {
  write(JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1' }));
  lockFolder(folder)();
});

test('the lock of a process whose number another one has now is taken over', () => {
  write(JSON.stringify({ pid: process.pid, startedAt: 'long ago' }));
  lockFolder(folder)();
});

test('a lock that cannot be read is taken over', () => {
  for (const text of ['', '{', '{"pid":"x"}', 'null']) {
    write(text);
    lockFolder(folder)();
  }
});

test('letting go leaves the lock of somebody else alone', () => {
  const unlock = lockFolder(folder);
  write('other');
  unlock();
  assert.equal(readFileSync(join(folder, 'souk.lock'), 'utf8'), 'other');
});

test('a process keeps its identity, and one that is not there has none', () => {
  assert.deepEqual(identify(process.pid), identify(process.pid));
  assert.match(identify(process.pid)?.command ?? '', /node/);
  assert.equal(identify(2 ** 22 + 1), undefined);
});
