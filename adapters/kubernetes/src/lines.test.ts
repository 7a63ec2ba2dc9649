import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Lines } from './lines.ts';

test('however a text is cut, its lines are the same', () => {
  const texts = fc.array(fc.string({ unit: 'binary' }).map((text) => text.toWellFormed().replaceAll('\n', ' ')));
  fc.assert(
    fc.property(texts, fc.array(fc.nat({ max: 60 })), (wanted, cuts) => {
      const bytes = Buffer.from(wanted.map((text) => `${text}\n`).join(''));
      const lines = new Lines();
      const got: string[] = [];
      let from = 0;
      for (const length of [...cuts, bytes.length]) {
        got.push(...lines.push(bytes.subarray(from, from + length)));
        from += length;
      }
      assert.deepEqual(
        got,
        wanted.map((text) => text.trim()).filter((text) => text !== ''),
      );
      assert.equal(lines.pending, 0);
    }),
  );
});

test('a line that does not end is noticed, and what waits is counted', () => {
  const lines = new Lines(10);
  assert.deepEqual(lines.push(Buffer.from('one\n12345')), ['one']);
  assert.equal(lines.pending, 5);
  assert.equal(lines.overflown, false);
  lines.push(Buffer.from('678901'));
  assert.equal(lines.overflown, true);
});
