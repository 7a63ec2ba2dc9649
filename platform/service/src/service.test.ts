import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineService } from './index.ts';

test('a declaration says only what is not usual, and cannot be changed', () => {
  const service = defineService({ name: 'quiet', serves: [], start: () => ({}) as never });
  const { start, parts, eventStore, ...rest } = service;
  assert.deepEqual(rest, {
    name: 'quiet',
    serves: [],
    calls: {},
    publishes: [],
    consumes: [],
    sagas: [],
    projections: [],
    subscriptions: [],
    settings: {},
    migrations: [],
  });
  assert.equal(parts({} as never), undefined);
  assert.deepEqual(eventStore({} as never), {});
  assert.ok(Object.isFrozen(service));
});
