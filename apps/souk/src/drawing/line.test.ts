import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { columns } from './columns.ts';
import { fit } from './line.ts';
import { plain } from './palette.ts';
import { span } from './span.ts';

test('a line that fits is left as it is, and one that does not ends in an ellipsis', () => {
  assert.equal(fit(['abc', ['def', (text) => `<${text}>`]], 6), 'abc<def>');
  assert.equal(fit(['abc', ['def', (text) => `<${text}>`]], 5), 'abc<d…>');
  assert.equal(fit(['abcdef', 'g'], 3), 'ab…');
});

test('no line is longer than the width, whatever it is made of', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.integer({ min: 1, max: 60 }), (pieces, width) => {
      assert.ok([...fit(pieces, width)].length <= width);
    }),
  );
});

test('columns are as wide as they must be, and the last one gives way', () => {
  const rows = [
    ['STUCK', 'ord_1', 'a long explanation of what went wrong'],
    ['READY', 'ord_22', ''],
  ];
  assert.deepEqual(columns(['STATUS', 'ID', 'WHY'], rows, { width: 30, palette: plain }), [
    'STATUS  ID      WHY',
    'STUCK   ord_1   a long explan…',
    'READY   ord_22',
  ]);
});

test('a time is told in its two largest units', () => {
  const cases: [ms: number, text: string][] = [
    [-5, '0 ms'],
    [340, '340 ms'],
    [12_345, '12.3 s'],
    [59_999, '59.9 s'],
    [60_000, '1 min'],
    [303_000, '5 min 3 s'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ];
  for (const [ms, text] of cases) assert.equal(span(ms), text);
});
