import assert from 'node:assert/strict';
import { test } from 'node:test';
import { raceAbort } from './race-abort.ts';

test('the work wins when it ends first, with its value or its error', async () => {
  const { signal } = new AbortController();
  assert.equal(await raceAbort(Promise.resolve(1), signal), 1);
  await assert.rejects(raceAbort(Promise.reject(new Error('own')), signal), /own/);
});

test('the signal wins when it aborts first, and what comes late is handed over', async () => {
  const control = new AbortController();
  const work = Promise.withResolvers<string>();
  const late: string[] = [];
  const race = raceAbort(work.promise, control.signal, (value) => void late.push(value));
  control.abort('enough');
  await assert.rejects(race, (reason) => reason === 'enough');
  work.resolve('connection');
  await work.promise;
  assert.deepEqual(late, ['connection']);
  await assert.rejects(raceAbort(Promise.resolve('lock'), control.signal, (value) => void late.push(value)));
  assert.deepEqual(late, ['connection', 'lock']);
});
