import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, nearest } from './suggestion.ts';

test('near names are suggested, nearest first; far ones are not', () => {
  assert.equal(didYouMean('prot', ['port', 'host']), ', did you mean port?');
  assert.equal(didYouMean('xyz', ['port', 'host']), '');
  assert.deepEqual(nearest('reservationTtI', ['reservation', 'reservationTtl']), ['reservationTtl', 'reservation']);
});

test('a tighter distance keeps strangers out', () => {
  assert.deepEqual(nearest('HTTP_PROXY', ['HTTP_PORT'], 2), []);
  assert.deepEqual(nearest('HTTP_PORTS', ['HTTP_PORT'], 2), ['HTTP_PORT']);
});
