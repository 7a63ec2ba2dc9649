import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressBar, terminal } from './terminal.ts';

test('a bar fills from nothing to all, and never beyond', () => {
  assert.equal(progressBar(0, 10), `[${'.'.repeat(30)}]   0 %`);
  assert.equal(progressBar(5, 10), `[${'#'.repeat(15)}${'.'.repeat(15)}]  50 %`);
  assert.equal(progressBar(11, 10), `[${'#'.repeat(30)}] 100 %`);
  assert.equal(progressBar(0, 0), `[${'#'.repeat(30)}] 100 %`);
});

test('every bar is as wide as the others', () => {
  const widths = Array.from({ length: 101 }, (_, done) => progressBar(done, 100).length);
  assert.equal(new Set(widths).size, 1);
});

test('no colours where nobody wants them', () => {
  assert.equal(terminal({ NO_COLOR: '1' }).bold('x'), 'x');
});
