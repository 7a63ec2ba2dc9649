import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Context, hasReason, rootContext, virtualRuntime } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import type { Connection, DriverResult } from './connection.ts';
import type { Session } from './database.ts';
import { createStatements } from './statements.ts';
import { runTransaction } from './transaction.ts';

/** A connection whose answers come when the test says. */
function world() {
  const runtime = virtualRuntime();
  const asked: { text: string; answer: PromiseWithResolvers<DriverResult> }[] = [];
  const did = { cancels: 0, cuts: 0, destroyed: false };
  const ask = (text: string) => {
    const answer = Promise.withResolvers<DriverResult>();
    asked.push({ text, answer });
    return answer.promise;
  };
  const connection = {
    broken: false,
    run: ({ text }: { text: string }) => ask(text),
    script: ask,
    together: (send: () => void) => send(),
    cancel: async () => void did.cancels++,
    cutLater: () => void did.cuts++,
    destroy: () => {
      did.destroyed = true;
    },
  } as unknown as Connection;
  const session = {
    service: 'test',
    runtime,
    pool: { release: () => {} },
    checkout: () => connection,
    observer: { begin: () => 0, span: () => undefined, end: () => {} },
    statements: createStatements(() => {}),
  } as unknown as Session;
  const controller = new AbortController();
  const ctx = rootContext({ runtime, signal: controller.signal });
  const find = (start: string) => asked.find(({ text }) => text.startsWith(start));
  return {
    did,
    asked,
    abort: () => controller.abort(),
    run: <T>(work: (tx: Transaction) => Promise<T>, on: Context = ctx) => runTransaction(session, on, work, {}),
    answer: (start: string, command = start) =>
      find(start)?.answer.resolve({ command, rows: [], rowCount: 0 } as never),
    fail: (start: string, error: Error) => find(start)?.answer.reject(error),
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

const serverError = (code: string) =>
  Object.assign(new Error('canceling statement'), { code, severity: 'ERROR', routine: 'ProcessInterrupts' });

test('a transaction is not stopped before its BEGIN is answered: what follows would commit alone', async () => {
  const { run, abort, answer, fail, did, settled, asked } = world();
  const work = run((tx) => tx.query('INSERT'));
  await settled();
  abort();
  await settled();
  assert.deepEqual([asked.map(({ text }) => text), did.cancels, did.cuts], [['BEGIN', 'INSERT'], 0, 1]);
  answer('BEGIN');
  await settled();
  assert.equal(did.cancels, 1);
  fail('INSERT', serverError('57014'));
  await settled();
  answer('ROLLBACK');
  await assert.rejects(work, (error) => hasReason(error, 'SOUK_CANCELED'));
});

test('a COMMIT that succeeds behind a BEGIN that failed is no success', async () => {
  const { run, answer, fail, settled } = world();
  let told = false;
  const work = run(async (tx) => {
    tx.defer('INSERT');
    tx.afterCommit(() => {
      told = true;
    });
  });
  await settled();
  fail('BEGIN', serverError('53200'));
  answer('INSERT');
  answer('COMMIT');
  await assert.rejects(work, (error) => hasReason(error, 'STORE_OUTCOME_UNKNOWN'));
  assert.equal(told, false);
});

test('a ROLLBACK that is not answered is cut some time later', async () => {
  const { run, answer, fail, did, settled } = world();
  const work = run((tx) => tx.query('INSERT'));
  await settled();
  answer('BEGIN');
  fail('INSERT', serverError('23505'));
  await settled();
  assert.equal(did.cuts, 1);
  fail('ROLLBACK', new Error('Connection terminated'));
  await assert.rejects(work, (error) => hasReason(error, 'STORE_UNIQUE_VIOLATION'));
  assert.equal(did.destroyed, true);
});

test('nothing is begun for a caller who has given up', async () => {
  const { run, abort, asked } = world();
  const work = run(async (tx) => {
    abort();
    await tx.query('INSERT');
  });
  await assert.rejects(work, (error) => hasReason(error, 'SOUK_CANCELED'));
  assert.equal(asked.length, 0);
});
