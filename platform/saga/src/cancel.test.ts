import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';
import { fromRow } from './journal.ts';
import { memoryTx } from './testing-storage.ts';

interface Deps {
  readonly log: string[];
  readonly takes: Record<string, number>;
  readonly fail: (step: string, attempt: number) => unknown;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const act =
  (name: string) =>
  async (ctx: { signal: AbortSignal }, call: { attempt: number }, deps: Deps): Promise<string> => {
    await deps.sleep(deps.takes[name] ?? 0, ctx.signal);
    const error = deps.fail(name, call.attempt);
    deps.log.push(error === undefined ? name : `${name}!`);
    if (error !== undefined) throw error;
    return name;
  };

const order = saga<Deps, null>('order', 1)
  .step('reserve', { kind: 'compensatable', run: act('reserve'), undo: act('release') })
  .step('authorize', { kind: 'compensatable', run: act('authorize'), undo: act('void') })
  .step('confirm', { kind: 'pivot', run: act('confirm'), retry: { attempts: 3 } })
  .step('ship', { kind: 'retriable', run: act('ship') })
  .define();

async function running(takes: Deps['takes'] = {}, fail: Deps['fail'] = () => undefined) {
  const world = sagaWorld();
  const log: string[] = [];
  const sleep = (ms: number, signal: AbortSignal) =>
    ms > 0 ? world.runtime.timers.sleep(ms, signal) : Promise.resolve();
  const engine = world.engine<Deps>([order], { log, takes, fail, sleep });
  await world.during(engine.start());
  await world.start(engine, order, 's', null);
  const cancel = (actionId = 'c1') =>
    world.tx((tx) => engine.sagas.cancel(tx, 's', { reason: 'changed my mind', actor: 'usr_1', actionId }));
  const actions = () =>
    (world.memory.sagas.get('s')?.journal ?? []).map(fromRow).filter((record) => record.kind === 'ACTION');
  return { world, log, engine, cancel, actions };
}

test('a saga cancelled before its pivot aborts what runs, and undoes it and what was done', async () => {
  const { world, log, engine, cancel, actions } = await running({ authorize: 8_000 });
  await world.runtime.advance(500);
  await cancel();
  await world.runtime.advance(200);
  assert.deepEqual(log, ['reserve', 'void', 'release']);
  assert.equal(world.status('s'), 'COMPENSATED');
  assert.equal(world.memory.sagas.get('s')?.errorReason, 'SAGA_CANCELLED');
  assert.deepEqual(
    actions().map(({ action, actor, reason, outcome }) => ({ action, actor, reason, outcome })),
    [{ action: 'cancel', actor: 'usr_1', reason: 'changed my mind', outcome: undefined }],
  );
  await world.during(engine.stop());
});

test('a cancellation after the pivot is journaled as refused, and the saga goes on', async () => {
  const { world, log, engine, cancel, actions } = await running({ ship: 3_000 });
  await world.runtime.advance(500);
  await cancel();
  await cancel('c2');
  await world.runtime.advance(4_000);
  assert.deepEqual(log, ['reserve', 'authorize', 'confirm', 'ship']);
  assert.equal(world.status('s'), 'COMPLETED');
  assert.ok(actions().length >= 1);
  assert.ok(actions().every(({ outcome }) => outcome === 'refused'));
  await world.during(engine.stop());
});

test('a pivot under way is left to answer: when it did not happen the saga turns back, when it did it goes on', async () => {
  for (const happened of [true, false]) {
    const { world, log, engine, cancel } = await running({ confirm: 2_000 }, (step) =>
      step === 'confirm' && !happened ? shop.BUSY() : undefined,
    );
    await world.runtime.advance(500);
    await cancel();
    await world.runtime.advance(1_000);
    assert.equal(world.status('s'), 'RUNNING');
    await world.runtime.advance(5_000);
    assert.equal(world.status('s'), happened ? 'COMPLETED' : 'COMPENSATED');
    assert.equal(log.includes('void'), !happened);
    assert.equal(log.filter((line) => line === 'confirm!').length, happened ? 0 : 1);
    await world.during(engine.stop());
  }
});

test('a pivot in doubt is left to answer too: while it does not, nothing is undone', async () => {
  const { world, log, engine, cancel, actions } = await running({ confirm: 100 }, (step) =>
    step === 'confirm' ? shop.LOST() : undefined,
  );
  await world.runtime.advance(150);
  assert.ok(log.includes('confirm!'));
  await cancel();
  await world.runtime.advance(10_000);
  assert.equal(world.status('s'), 'STUCK');
  assert.ok(!log.includes('void'));
  assert.deepEqual(actions(), []);
  await world.during(engine.stop());
});

test('a saga is cancelled once by the same request, and needs a reason for it', async () => {
  const { world, engine, cancel, actions } = await running({ authorize: 8_000 });
  await world.runtime.advance(500);
  await cancel();
  await cancel();
  await world.runtime.advance(500);
  assert.equal(actions().length, 1);
  await assert.rejects(
    world.tx((tx) => engine.sagas.cancel(tx, 's', { reason: ' ', actor: 'usr_1' })),
    { reason: 'SAGA_ACTION_REFUSED' },
  );
  await world.during(engine.stop());
});

test('a saga that waits for its next attempt is cancelled at once', async () => {
  const { world, log, engine, cancel } = await running({}, (step) =>
    step === 'authorize' ? shop.BUSY({}, { afterMs: 600_000 }) : undefined,
  );
  await world.runtime.advance(5_000);
  assert.equal(world.status('s'), 'WAITING');
  await cancel();
  await world.runtime.advance(100);
  assert.deepEqual(log, ['reserve', 'authorize!', 'release']);
  assert.equal(world.status('s'), 'COMPENSATED');
  await world.during(engine.stop());
});

test('a cancellation of a saga whose pivot is in doubt is answered by what the pivot says in the end', async () => {
  for (const answer of ['not-done', 'done'] as const) {
    const world = sagaWorld();
    const log: string[] = [];
    const doubtful = saga<null, null>('doubtful', 1)
      .step('reserve', { kind: 'compensatable', run: async () => {}, undo: async () => void log.push('release') })
      .step('pay', {
        kind: 'pivot',
        retry: { firstDelayMs: 600_000, maxDelayMs: 600_000 },
        run: (): Promise<void> => Promise.reject(shop.LOST()),
        resolve: async () => answer,
      })
      .step('ship', { kind: 'retriable', run: async () => void log.push('ship') })
      .define();
    const engine = world.engine<null>([doubtful], null);
    await world.during(engine.start());
    await world.start(engine, doubtful, 's', null);
    await world.runtime.advance(1_000);
    assert.equal(world.status('s'), 'WAITING');
    await world.tx((tx) => engine.sagas.cancel(tx, 's', { reason: 'too late?', actor: 'usr_1' }));
    await world.runtime.advance(1_000);
    assert.ok(!world.memory.kinds('s').includes('ACTION'), 'nobody knows yet');
    await world.runtime.advance(660_000);
    assert.deepEqual(log, answer === 'done' ? ['ship'] : ['release']);
    assert.equal(world.status('s'), answer === 'done' ? 'COMPLETED' : 'COMPENSATED');
    assert.ok(world.memory.kinds('s').includes('ACTION'));
    await world.during(engine.stop());
  }
});

test('a cancellation that comes just when the point of no return is passed is refused, and the saga goes on', async () => {
  for (let turns = 0; turns < 30; turns++) {
    const world = sagaWorld();
    const tx = memoryTx(world.ctx);
    const late = saga<null, null>('late', 1)
      .step('last', {
        kind: 'read',
        run: async () => {
          const later = (left: number): void => {
            if (left === 0) tx.commit();
            else queueMicrotask(() => later(left - 1));
          };
          later(turns);
          return 'looked';
        },
      })
      .step('ship', { kind: 'retriable', run: async () => {} })
      .define();
    const engine = world.engine<null>([late], null);
    await world.during(engine.start());
    await world.start(engine, late, 's', null);
    await engine.sagas.cancel(tx, 's', { reason: 'at the last moment', actor: 'usr_1', actionId: 'c' });
    await world.runtime.advance(10_000);
    assert.ok(['COMPLETED', 'COMPENSATED'].includes(world.status('s') ?? ''), `${turns}: ${world.status('s')}`);
    await world.during(engine.stop());
  }
});

test('an action that is refused while the saga runs is journaled, and what runs is taken up again', async () => {
  const { world, log, engine, actions } = await running({ ship: 1_000 });
  await world.runtime.advance(100);
  const terminate = { action: 'terminate', actionId: 't', actor: 'usr_1', reason: ' ', at: 1 };
  const row = { sagaId: 's', name: '$action', signalId: 't', body: terminate };
  await world.memory.storage.signal(undefined as never, [row], 0);
  await world.runtime.advance(10_000);
  assert.deepEqual(
    actions().map(({ outcome }) => outcome),
    ['refused'],
  );
  assert.equal(log.at(-1), 'ship');
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(engine.stop());
});
