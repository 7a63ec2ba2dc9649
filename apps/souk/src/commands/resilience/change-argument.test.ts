import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { changeArgument } from './change-argument.ts';

/** As it is sent. */
const change = (...words: string[]) => JSON.parse(JSON.stringify(changeArgument(words, 'resilience set')));

test('options by their paths become one change, layer by layer', () => {
  assert.deepEqual(change('timeout=500', 'retry.maxAttempts=2', 'retry.backoff.jitter=full', 'hedge=null'), {
    timeout: 500,
    retry: { maxAttempts: 2, backoff: { jitter: 'full' } },
    hedge: null,
  });
  assert.deepEqual(change('mode=off', 'bulkhead={"limit":8}', 'bulkhead.queueLimit=4', 'observe=true'), {
    mode: 'off',
    bulkhead: { limit: 8, queueLimit: 4 },
    observe: true,
  });
  assert.deepEqual(change('timeout=1e999'), { timeout: '1e999' });
  assert.deepEqual(change('mode='), { mode: '' });
  assert.deepEqual(change('constructor.x=1'), { constructor: { x: 1 } });
});

test('JSON is taken as it is, from a file too, and null takes all back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'souk-change-'));
  writeFileSync(join(folder, 'change.json'), '{"timeout": 7}');
  assert.deepEqual(change(`@${join(folder, 'change.json')}`), { timeout: 7 });
  rmSync(folder, { recursive: true });
  assert.deepEqual(change('{"retry": {"maxAttempts": 2}}'), { retry: { maxAttempts: 2 } });
  assert.equal(change('null'), null);
});

test('what is no change is refused with how to write one', () => {
  for (const [words, problem] of [
    [['timeout'], /'timeout' is no change: write options as retry\.maxAttempts=2/],
    [['500'], /'500' is no change/],
    [['[1]'], /is no change/],
    [['__proto__.x=1'], /'__proto__\.x=1' is no change/],
    [['a={}', 'a.__proto__.x=1'], /is no option with a value/],
    [['{timeout: 5}'], /<change> was given what is no JSON/],
    [['@/nowhere.json'], /the file \/nowhere\.json, which cannot be read/],
    [['timeout=5', 'retry'], /'retry' is no option with a value/],
    [['timeout=5', 'timeout=6'], /'timeout=6' contradicts/],
    [['retry=null', 'retry.maxAttempts=2'], /'retry\.maxAttempts=2' contradicts/],
    [['retry.maxAttempts=2', 'retry=null'], /'retry=null' contradicts/],
  ] as const)
    assert.throws(() => changeArgument(words, 'resilience set'), { reason: 'APP_USAGE', message: problem });
});

test('no words make it throw anything else', () => {
  const word = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom('a', 'a.b', '__proto__', 'a.__proto__.b'), fc.json()).map((pair) => pair.join('=')),
  );
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      try {
        changeArgument(words, 'resilience set');
      } catch (error) {
        assert.equal((error as { reason?: string }).reason, 'APP_USAGE');
      }
    }),
  );
  assert.equal(({} as { b?: unknown }).b, undefined);
});
