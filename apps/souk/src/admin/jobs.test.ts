import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, virtualRuntime } from '@souk/kernel';
import { createJobs, type JobInit } from './jobs.ts';

const setUp = () => {
  const runtime = virtualRuntime();
  return { runtime, jobs: createJobs({ runtime, log: silentLogger }) };
};
const job = (work: JobInit['work']): JobInit => ({ kind: 'test', actor: 'operator', reason: 'to see', work });
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

test('a job tells how far it is while it runs, and stays to be asked for when it has ended', async () => {
  const { jobs } = setUp();
  const gate = Promise.withResolvers<void>();
  const { id, state } = jobs.begin(
    job(async (_ctx, progress) => {
      progress.total(3);
      progress.done(1);
      await gate.promise;
      progress.done(1);
      progress.refused('it has ended');
    }),
  );
  assert.equal(state, 'RUNNING');
  await settled();
  assert.partialDeepStrictEqual(jobs.get(id), { state: 'RUNNING', done: 1, total: 3 });
  gate.resolve();
  await settled();
  assert.partialDeepStrictEqual(jobs.get(id), { state: 'DONE', done: 3, total: 3 });
  assert.deepEqual([...jobs.get(id).refusals], [['it has ended', 1]]);
});

test('a job that throws has failed and says why; one that was asked to end is cancelled', async () => {
  const { jobs } = setUp();
  const failed = jobs.begin(job(() => Promise.reject(new Error('boom'))));
  await settled();
  assert.equal(jobs.get(failed.id).state, 'FAILED');
  assert.notEqual(jobs.get(failed.id).error, '');
  const slow = jobs.begin(
    job(
      (ctx) => new Promise((_resolve, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))),
    ),
  );
  await settled();
  jobs.cancel(slow.id);
  await settled();
  assert.equal(jobs.get(slow.id).state, 'CANCELLED');
  assert.equal(jobs.cancel(failed.id).state, 'FAILED');
  const unbegun = jobs.begin(job(() => assert.fail('it was cancelled before it began')));
  jobs.cancel(unbegun.id);
  await settled();
  assert.equal(jobs.get(unbegun.id).state, 'CANCELLED');
});

test('there are only so many jobs at once, and only so many are remembered', async () => {
  const { jobs } = setUp();
  const gate = Promise.withResolvers<void>();
  for (let one = 0; one < 8; one++) jobs.begin(job(() => gate.promise));
  assert.throws(() => jobs.begin(job(async () => {})), { reason: 'APP_TOO_MANY_JOBS' });
  gate.resolve();
  await settled();
  for (let one = 0; one < 150; one++) {
    jobs.begin(job(async () => {}));
    await settled();
  }
  assert.equal(jobs.list().length, 100);
  assert.throws(() => jobs.get('job_unknown'), { reason: 'APP_NO_JOB' });
});

test('a stop ends all jobs, and no other begins', async () => {
  const { jobs } = setUp();
  const { id } = jobs.begin(
    job((ctx) => new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve()))),
  );
  await settled();
  await jobs.stop();
  assert.equal(jobs.get(id).state, 'CANCELLED');
  assert.throws(() => jobs.begin(job(async () => {})), { reason: 'APP_TOO_MANY_JOBS' });
});
