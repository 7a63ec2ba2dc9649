import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAdviceMessage } from './advice-message.ts';

const report = {
  ...{ kind: 'report', key: 'stock', instance: 'a', state: 'OPEN', generation: 1, sample: 10 },
  ...{ failureRate: 0.5, seq: 1, sinceMs: 3 },
};
const command = {
  ...{ kind: 'command', key: 'stock', instance: 'a', action: 'isolate', version: 1 },
  ...{ owner: 'ops', reason: 'maintenance', remainingMs: 1000 },
};

test('a message survives JSON, and what it does not know is left behind', () => {
  for (const message of [report, command])
    assert.deepEqual(parseAdviceMessage(JSON.parse(JSON.stringify({ ...message, more: 1 }))), message);
});

test('garbage of any shape is no message, and nothing throws', () => {
  const throwing = Object.defineProperty({}, 'key', { enumerable: true, get: () => assert.fail('read') });
  const trap = new Proxy({}, { ownKeys: () => assert.fail('listed') });
  for (const value of [throwing, trap, null, undefined, [], 'report', 1n, Symbol('x'), () => report])
    assert.equal(parseAdviceMessage(value), undefined);
  fc.assert(fc.property(fc.anything({ withProxy: false } as object), (value) => void parseAdviceMessage(value)));
});

test('one field of a wrong kind makes a message garbage', () => {
  const wrong = [undefined, null, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '', 'x'.repeat(501), {}, [], true];
  for (const message of [report, command] as Record<string, unknown>[])
    for (const field of Object.keys(message))
      for (const value of wrong) {
        const isFine =
          (field === 'failureRate' && (value === undefined || value === null)) ||
          ((field === 'sinceMs' || field === 'remainingMs') && value === 1.5);
        const parsed = parseAdviceMessage({ ...message, [field]: value });
        assert.equal(parsed !== undefined, isFine, `${field}: ${String(value)}`);
      }
});
