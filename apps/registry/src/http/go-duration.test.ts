import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGoDuration, parseGoDuration } from './go-duration.ts';

test('durations are read as Go writes them', () => {
  const read: Array<[string, number | undefined]> = [
    ...([
      ['10s', 10_000],
      ['1m30s', 90_000],
      ['100us', 0.1],
      ['1.5h', 5_400_000],
      ['0', 0],
    ] as Array<[string, number]>),
    ...([
      ['10', undefined],
      ['', undefined],
      ['s', undefined],
      ['10 s', undefined],
      ['1s1', undefined],
    ] as Array<[string, undefined]>),
  ];
  for (const [text, ms] of read) assert.equal(parseGoDuration(text), ms, text);
});

test('what is written is read as the same', () => {
  fc.assert(
    fc.property(fc.nat(1e10), (ms) => {
      assert.equal(parseGoDuration(formatGoDuration(ms)), ms);
    }),
  );
});

test('minutes are written with their seconds, as clients expect', () => {
  assert.equal(formatGoDuration(60_000), '1m0s');
  assert.equal(formatGoDuration(3_600_000), '1h0m0s');
  assert.equal(formatGoDuration(500), '500ms');
});
