import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { linuxProcesses } from './process-place.ts';

const processes = linuxProcesses();
const here = processes.self();
const skip = here.host === undefined ? 'there is no /proc' : false;

test('a running process is not gone', () => assert.equal(processes.isGone(here), false));

test('a process of another host is never said to be gone', () => {
  assert.equal(processes.isGone({ ...here, host: 'other', pid: 2 ** 22 + 1 }), false);
  assert.equal(processes.isGone({ ...here, host: undefined, pid: 2 ** 22 + 1 }), false);
});

test('a pid that was given to another process is gone', { skip }, () => {
  assert.equal(processes.isGone({ ...here, startedAt: '1' }), true);
});

test('a process that ended is gone', { skip }, async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  await once(child, 'exit');
  assert.equal(processes.isGone({ ...here, pid }), true);
});
