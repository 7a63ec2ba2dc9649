import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { comparePositions, decodePosition, encodePosition, START } from './position.ts';

const positions = fc.record({
  epoch: fc.integer({ min: 0, max: 0x7fffffff }),
  xid: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }),
  position: fc.bigInt({ min: 0n, max: 0x7fffffffffffffffn }),
});

test('a position survives as a text', () => {
  fc.assert(
    fc.property(positions, (position) => {
      assert.equal(comparePositions(decodePosition(encodePosition(position)), position), 0);
    }),
  );
});

test('what is not the text of a position is refused', () => {
  const refused = { reason: 'EVENTSTORE_POSITION_INVALID' };
  for (const text of [
    '',
    'p1.1',
    'p1.1.1.1',
    'p01.1.1',
    'p1.1.zzzzzzzzzzzzz',
    'p-1.1.1',
    'P1.1.1',
    `p${'9'.repeat(30)}.1.1`,
  ])
    assert.throws(() => decodePosition(text), refused, text);
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        assert.equal(encodePosition(decodePosition(text)), text);
      } catch (error) {
        assert.equal((error as { reason?: string }).reason, 'EVENTSTORE_POSITION_INVALID');
      }
    }),
  );
});

test('positions are ordered by epoch, then transaction, then number', () => {
  const place = (epoch: number, xid: bigint, position: bigint) => ({ epoch, xid, position });
  const inOrder = [START, place(1, 5n, 90n), place(1, 7n, 80n), place(1, 7n, 81n), place(2, 3n, 1n)];
  for (const [n, left] of inOrder.entries())
    for (const [m, right] of inOrder.entries())
      assert.equal(Math.sign(comparePositions(left, right)), Math.sign(n - m));
});
