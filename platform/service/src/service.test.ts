import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineService } from './index.ts';

test('a declaration says only what is not usual, and cannot be changed', () => {
  const service = defineService({ name: 'quiet', serves: [], start: () => ({}) as never });
  const { start, parts, ...rest } = service;
  assert.deepEqual(rest, {
    name: 'quiet',
    serves: [],
    calls: {},
    publishes: [],
    consumes: [],
    sagas: [],
    settings: {},
    migrations: [],
  });
  assert.equal(parts({} as never), undefined);
  assert.ok(Object.isFrozen(service));
});
