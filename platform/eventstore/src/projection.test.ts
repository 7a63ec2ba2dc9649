import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualRuntime } from '@souk/kernel';
import { silentTelemetry } from '@souk/telemetry';
import { totals } from '../test/world.ts';
import { createEventStore, createProjections, defineSubscription, type RecordedEvent } from './index.ts';
import { concerns, tableNames } from './projection.ts';

test('a definition that cannot work is refused with the reason', () => {
  for (const [init, why] of [
    [{ name: 'Totals' }, /its name must be/],
    [{ version: 0 }, /version must be 1 or more, got 0/],
    [{ tables: [] }, /it names no tables/],
    [{ tables: ['a; drop table b'] }, /cannot be the name of a table/],
    [{ partitions: 65 }, /partitions must be 1 to 64, got 65/],
  ] as const)
    assert.throws(() => totals(init), { reason: 'PROJECTION_INVALID', message: why });
  assert.throws(() => defineSubscription({ name: '1', handle: () => async () => {} }), {
    reason: 'PROJECTION_INVALID',
  });
});

test('names and tables belong to one projection of a service', () => {
  const runtime = virtualRuntime();
  const init = {
    db: undefined as never,
    store: createEventStore({ runtime }),
    runtime,
    telemetry: silentTelemetry(runtime),
  };
  assert.throws(() => createProjections({ ...init, projections: [totals(), totals({ tables: ['b'] })] }), {
    message: /there are two of this name/,
  });
  assert.throws(() => createProjections({ ...init, projections: [totals(), totals({ name: 'more' })] }), {
    message: /total is a table of another projection/,
  });
});

test('each table has a name for the live one and one for the next', () => {
  assert.equal(tableNames(totals(), false)('total'), 'total');
  assert.equal(tableNames(totals(), true)('total'), 'total__next');
  assert.throws(() => tableNames(totals(), true)('other'), { message: /other is not one of its tables/ });
});

test('categories and types say which events concern it', () => {
  const event = (stream: string, type: string) => ({ stream, type }) as RecordedEvent;
  assert.ok(concerns({}, event('a-1', 'X')));
  assert.ok(concerns({ categories: ['a'] }, event('a-1-2', 'X')));
  assert.ok(concerns({ categories: ['b', 'a'], types: ['X'] }, event('a', 'X')));
  assert.ok(!concerns({ categories: ['a'] }, event('ab-1', 'X')));
  assert.ok(!concerns({ categories: ['a'], types: ['Y'] }, event('a-1', 'X')));
});
