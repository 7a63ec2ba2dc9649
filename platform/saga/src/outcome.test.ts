import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors } from '@souk/kernel';
import { classify } from './outcome.ts';

const errors = defineErrors('TEST', { BUSY: { code: 'unavailable', text: 'busy', retry: 'later' } });

test('the wait that somebody asks for becomes whole milliseconds, finite and not endless, whatever was asked for', () => {
  for (const [asked, kept] of [
    [undefined, 0],
    [0, 0],
    [4873.22, 4874],
    [-1, 0],
    [Number.NaN, 0],
    [Number.POSITIVE_INFINITY, 300_000],
    [86_400_000, 300_000],
  ] as const) {
    const error = asked === undefined ? errors.BUSY() : errors.BUSY({}, { afterMs: asked });
    const { is, afterMs } = classify(error);
    assert.deepEqual([is, afterMs], ['failed', kept], String(asked));
  }
});
