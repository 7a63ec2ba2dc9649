import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createIds, isId } from './ids.ts';
import { systemRuntime } from './runtime.ts';
import { seededRandom, virtualRuntime } from './virtual-runtime.ts';

test('ids sort in the order they were made and are unique, whatever the clock does', () => {
  const readings = fc.array(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_020 }), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(readings, fc.integer(), (times, seed) => {
      let now = 0;
      const ids = createIds({ now: () => now, monotonicMs: () => 0 }, seededRandom(seed));
      const made = times.flatMap((time) => {
        now = time;
        return Array.from({ length: 300 }, () => ids.uuid());
      });
      assert.deepEqual(made.toSorted(), made);
      assert.equal(new Set(made).size, made.length);
    }),
    { numRuns: 50 },
  );
});

test('a counter that runs over borrows from the next millisecond', () => {
  const ids = virtualRuntime().ids;
  const made = Array.from({ length: 10_000 }, () => ids.uuid());
  assert.deepEqual(made.toSorted(), made);
  assert.equal(new Set(made).size, made.length);
});

test('an id is a UUIDv7 of the present time behind its prefix', () => {
  const runtime = virtualRuntime({ startAt: '2026-03-01T00:00:00Z' });
  const id = runtime.ids.next('ord');
  assert.match(id, /^ord_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const time = Number.parseInt(id.slice(4).replaceAll('-', '').slice(0, 12), 16);
  assert.equal(time, Date.parse('2026-03-01T00:00:00Z'));
});

test('isId wants the prefix and the whole form', () => {
  const id = systemRuntime().ids.next('usr');
  assert.equal(isId(id, 'usr'), true);
  assert.equal(isId(id, 'ord'), false);
  assert.equal(isId(`${id}x`, 'usr'), false);
  assert.equal(isId(id.replace(/-7(?=[0-9a-f]{3}-[89ab])/, '-4'), 'usr'), false);
  assert.equal(isId('usr_1', 'usr'), false);
});
