import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, formatSize, parseDuration, parseSize } from './quantity.ts';

test('durations and sizes are read with their unit', () => {
  const durations = {
    '250ms': 250,
    '10s': 10_000,
    '15m': 900_000,
    '1.5h': 5_400_000,
    '7d': 604_800_000,
    '0': 0,
    ' 2s ': 2000,
  };
  for (const [text, ms] of Object.entries(durations)) assert.equal(parseDuration(text), ms, text);
  const sizes = { '1B': 1, '64KiB': 65_536, '1MiB': 1_048_576, '2GB': 2e9, '0.5KiB': 512, '10kB': 10_000 };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize(text), bytes, text);
});

test('what has no unit, a wrong one, a sign, or no whole result is refused', () => {
  for (const text of ['', '10', '10 s', '10S', '-1s', '1e3s', 's', '0.5ms', '10sec', '0x1s', 'NaNs', 'Infinitys']) {
    assert.equal(parseDuration(text), undefined, text);
  }
  for (const text of ['10', '1mb', '1.5B', '1Kib', '-1B']) assert.equal(parseSize(text), undefined, text);
});

test('what is printed is read back as the same value', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value);
      assert.equal(parseSize(formatSize(value)), value);
    }),
  );
  assert.equal(formatDuration(900_000), '15m');
  assert.equal(formatSize(1_048_576), '1MiB');
});

test('no text makes the readers throw', () => {
  fc.assert(fc.property(fc.string(), (text) => void [parseDuration(text), parseSize(text)]));
});
