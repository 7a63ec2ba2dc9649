import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFromThisMachine } from './from-this-machine.ts';

test('a browser on this machine is let in, by each of its names', () => {
  for (const host of ['localhost', 'localhost:8080', 'LOCALHOST:1', '127.0.0.1:8080', '[::1]:8080']) {
    assert.ok(isFromThisMachine({ host }), host);
  }
});

test('a name that only points here is not', () => {
  for (const host of [
    undefined,
    '',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
  ]) {
    assert.ok(!isFromThisMachine(host === undefined ? {} : { host }), `${host}`);
  }
});

test('what a proxy passes on is not, whatever name it uses', () => {
  for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto']) {
    assert.ok(!isFromThisMachine({ host: 'localhost:8080', [name]: '203.0.113.7' }), name);
  }
});
