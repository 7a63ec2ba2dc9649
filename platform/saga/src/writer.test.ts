import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineErrors, hasReason, virtualRuntime } from '@souk/kernel';
import type { EncodedWrite, SagaStorage, SagaWrite } from './storage.ts';
import { createWriter } from './writer.ts';

const storeErrors = defineErrors('STORE', {
  BAD_ROW: { code: 'invalid_argument', text: 'a row cannot be stored' },
  LOST: { code: 'unavailable', text: 'no answer', retry: 'unknownOutcome' },
});

const EMPTY: Omit<SagaWrite, 'id'> = {
  epoch: 1,
  base: 1,
  status: 'RUNNING',
  direction: 'forward',
  wake: null,
  step: null,
  errorCode: null,
  errorReason: null,
  records: [],
  progress: false,
  consumed: [],
  starts: [],
  sends: [],
};

function world(answer: (ids: string[], turn: number) => 'ok' | 'lost' | 'fenced') {
  const runtime = virtualRuntime();
  const batches: string[][] = [];
  const extended: (number | undefined)[] = [];
  let fenced = 0;
  const storage = {
    write: async (
      _lease: unknown,
      writes: readonly EncodedWrite[],
      { extendMs }: { readonly extendMs: number | undefined },
    ) => {
      const ids = writes.map(({ source }) => source.id);
      batches.push(ids);
      extended.push(extendMs);
      await runtime.timers.sleep(10);
      if (ids.includes('bad')) throw storeErrors.BAD_ROW();
      const said = answer(ids, batches.length);
      if (said === 'lost') throw storeErrors.LOST();
      return { live: said === 'ok', accepted: said === 'ok' ? ids.filter((id) => id !== 'stolen') : [] };
    },
  } as unknown as SagaStorage;
  const writer = createWriter({
    storage,
    lease: { workerId: 'w', epoch: 1 },
    runtime,
    leaseMs: 10_000,
    onFenced: () => {
      fenced++;
    },
  });
  const append = (id: string): Promise<string> =>
    writer.append({ ...EMPTY, id }).then(
      () => 'ok',
      (error) => error.reason,
    );
  return { runtime, batches, extended, writer, append, fenced: () => fenced };
}

test('while one batch is in flight everything else waits for the next', async () => {
  const { runtime, batches, append } = world(() => 'ok');
  const first = append('a');
  await runtime.settle();
  const rest = Promise.all([append('b'), append('c'), append('d')]);
  await runtime.advance(100);
  assert.deepEqual(await first, 'ok');
  assert.deepEqual(await rest, ['ok', 'ok', 'ok']);
  assert.deepEqual(batches, [['a'], ['b', 'c', 'd']]);
});

test('a bad row fails only its own saga, and the heartbeat beside it stands', async () => {
  const { runtime, writer, append } = world(() => 'ok');
  const all = Promise.all(['a', 'b', 'bad', 'c', 'd'].map(append));
  const beat = writer.beat().then(() => 'extended');
  await runtime.advance(1_000);
  assert.deepEqual(await all, ['ok', 'ok', 'SAGA_RECORD_REFUSED', 'ok', 'ok']);
  assert.equal(await beat, 'extended');
});

test('a batch whose answer is lost is sent again, the same', async () => {
  const { runtime, batches, append } = world((_ids, turn) => (turn < 3 ? 'lost' : 'ok'));
  const all = Promise.all(['a', 'b'].map(append));
  await runtime.advance(1_000);
  assert.deepEqual(await all, ['ok', 'ok']);
  assert.deepEqual(batches, [
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b'],
  ]);
});

test('a saga that another worker owns is refused alone', async () => {
  const { runtime, append } = world(() => 'ok');
  const all = Promise.all(['a', 'stolen'].map(append));
  await runtime.advance(100);
  assert.deepEqual(await all, ['ok', 'SAGA_OWNERSHIP_LOST']);
});

test('a lease that is over refuses the whole batch and everything after it', async () => {
  const { runtime, append, fenced } = world(() => 'fenced');
  const all = Promise.all(['a', 'b'].map(append));
  await runtime.advance(100);
  assert.deepEqual(await all, ['SAGA_OWNERSHIP_LOST', 'SAGA_OWNERSHIP_LOST']);
  assert.equal(fenced(), 1);
  assert.equal(await append('c'), 'SAGA_STOPPED');
});

test('closing refuses what is queued', async () => {
  const { runtime, writer, append } = world(() => 'lost');
  const all = Promise.all(['a', 'b'].map(append));
  await runtime.advance(20);
  writer.close();
  await runtime.advance(1_000);
  assert.deepEqual(await all, ['SAGA_STOPPED', 'SAGA_STOPPED']);
  await assert.rejects(writer.beat(), (error) => hasReason(error, 'SAGA_STOPPED'));
});
