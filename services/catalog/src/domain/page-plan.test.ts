import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePlan } from './page-plan.ts';

test('without an index to gather by, a page is walked to the end', () => {
  assert.deepEqual(choosePlan({ gathered: undefined, matching: 0, along: 100_000, limit: 21, stoppable: true }), {
    plan: 'walk',
  });
});

test('few matches are gathered', () => {
  assert.deepEqual(choosePlan({ gathered: 100, matching: 100, along: 100_000, limit: 21, stoppable: true }), {
    plan: 'gather',
  });
  assert.deepEqual(choosePlan({ gathered: 5_000, matching: 0, along: 100_000, limit: 21, stoppable: true }), {
    plan: 'gather',
  });
});

test('a walk among many matches is given up before it costs more than gathering them', () => {
  assert.deepEqual(choosePlan({ gathered: 3_000, matching: 3_000, along: 100_000, limit: 21, stoppable: true }), {
    plan: 'walk',
    budget: 4_096,
  });
  assert.deepEqual(choosePlan({ gathered: 600, matching: 600, along: 5_000, limit: 21, stoppable: true }), {
    plan: 'walk',
    budget: 1_024,
  });
});

test('an order shorter than the matches is walked to the end', () => {
  assert.deepEqual(choosePlan({ gathered: 3_000, matching: 3, along: 900, limit: 21, stoppable: true }), {
    plan: 'walk',
  });
});

test('a walk that cannot be given up is as long as it must be', () => {
  const sizes = { matching: 600, along: 100_000, limit: 21, stoppable: false };
  assert.deepEqual(choosePlan({ ...sizes, gathered: 3_000 }), { plan: 'walk' });
  assert.deepEqual(choosePlan({ ...sizes, gathered: 600 }), { plan: 'gather' });
});
