import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';
import type { AnyDefinition } from './definition.ts';

interface Deps {
  readonly log: string[];
  readonly fail: (step: string) => unknown;
  readonly takes: (step: string) => Promise<void>;
}
const act = (name: string) => async (_ctx: unknown, _call: unknown, deps: Deps) => {
  await deps.takes(name);
  const error = deps.fail(name);
  deps.log.push(error === undefined ? name : `${name}!`);
  if (error !== undefined) throw error;
  return name;
};

const parcel = saga<Deps, { weight: number }>('parcel', 1)
  .step('pack', { kind: 'compensatable', run: act('pack'), undo: act('unpack') })
  .step('send', { kind: 'pivot', run: act('send') })
  .step('bill', { kind: 'retriable', run: act('bill') })
  .define();

const trip = saga<Deps, null>('trip', 1)
  .deadline('10m')
  .step('book', { kind: 'compensatable', run: act('book'), undo: act('unbook') })
  .parallel((group) =>
    group
      .child('parcel', {
        kind: 'compensatable',
        saga: parcel,
        input: () => ({ weight: 3 }),
        undo: async (_ctx, call, deps) => void deps.log.push(`call-back ${call.result?.send}`),
      })
      .step('seat', { kind: 'compensatable', run: act('seat'), undo: act('unseat') }),
  )
  .step('pay', { kind: 'pivot', run: act('pay') })
  .define();

const after = saga<Deps, null>('after', 1)
  .step('pay', { kind: 'pivot', run: act('pay') })
  .child('parcel', { kind: 'retriable', saga: parcel, input: () => ({ weight: 1 }) })
  .step('tell', {
    kind: 'retriable',
    run: async (_ctx, call, deps) => void deps.log.push(`told ${call.results.parcel.bill}`),
  })
  .define();

async function running(fail: Deps['fail'] = () => undefined, slow: Record<string, number> = {}) {
  const world = sagaWorld();
  const log: string[] = [];
  const takes = async (name: string) => {
    const ms = slow[name];
    if (ms !== undefined) await world.runtime.timers.sleep(ms);
  };
  const engine = world.engine<Deps>([trip, parcel, after], { log, fail, takes });
  await world.during(engine.start());
  return { world, log, engine };
}

test('a child starts with the step, and its results are those of the step', async () => {
  const { world, log, engine } = await running();
  await world.start(engine, after, 's', null);
  await world.runtime.advance(200);
  assert.deepEqual(log, ['pay', 'pack', 'send', 'bill', 'told bill']);
  assert.equal(world.status('s'), 'COMPLETED');
  assert.equal(world.status('s/parcel'), 'COMPLETED');
  await world.during(engine.stop());
});

test('a parent that waits for a child is owned by nobody', async () => {
  const { world, engine } = await running(undefined, { send: 5_000 });
  await world.start(engine, after, 's', null);
  await world.runtime.advance(3_000);
  assert.equal(world.status('s'), 'WAITING');
  assert.equal(world.memory.sagas.get('s')?.owner, undefined);
  await world.runtime.advance(3_000);
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(engine.stop());
});

test('a child that was taken back refuses the step with its failure', async () => {
  const { world, log, engine } = await running((step) => (step === 'send' ? shop.REFUSED() : undefined));
  await world.start(engine, trip, 's', null);
  await world.runtime.advance(500);
  assert.equal(world.status('s'), 'COMPENSATED');
  assert.equal(world.status('s/parcel'), 'COMPENSATED');
  assert.equal(world.memory.sagas.get('s')?.errorReason, 'SHOP_REFUSED');
  assert.ok(!log.some((line) => line.startsWith('call-back')), 'there is nothing to undo');
  assert.deepEqual(log.slice(-2), ['unseat', 'unbook']);
  await world.during(engine.stop());
});

test('when a sibling refuses, the child is cancelled and awaited before anything is undone', async () => {
  const { world, log, engine } = await running((step) => (step === 'seat' ? shop.REFUSED() : undefined), {
    pack: 2_000,
  });
  await world.start(engine, trip, 's', null);
  await world.runtime.advance(20_000);
  assert.equal(world.status('s/parcel'), 'COMPENSATED');
  assert.equal(world.memory.sagas.get('s/parcel')?.errorReason, 'SAGA_CANCELLED');
  assert.equal(world.status('s'), 'COMPENSATED');
  assert.ok(log.indexOf('unbook') > log.indexOf('unpack'), log.join());
  await world.during(engine.stop());
});

test('a child past its point of no return is undone as a step when its parent turns back', async () => {
  const { world, log, engine } = await running((step) => (step === 'seat' ? shop.REFUSED() : undefined), {
    seat: 300,
    bill: 2_000,
  });
  await world.start(engine, trip, 's', null);
  await world.runtime.advance(10_000);
  assert.equal(world.status('s/parcel'), 'COMPLETED');
  assert.ok(world.memory.kinds('s/parcel').includes('ACTION'), 'the cancellation is journaled as refused');
  assert.equal(world.status('s'), 'COMPENSATED');
  assert.deepEqual(log.slice(-2), ['call-back send', 'unbook']);
  await world.during(engine.stop());
});

test('a child that is given up leaves its parent stuck, and a retry starts a new one', async () => {
  const { world, log, engine } = await running(() => undefined, { send: 5_000 });
  await world.start(engine, after, 's', null);
  await world.runtime.advance(1_000);
  const terminate = { action: 'terminate', actionId: '1', actor: 'kim', reason: 'lost', at: 1 };
  await world.memory.storage.signal(
    undefined as never,
    [{ sagaId: 's/parcel', name: '$action', signalId: '1', body: terminate }],
    0,
  );
  await world.runtime.advance(3_000);
  assert.equal(world.status('s/parcel'), 'TERMINATED');
  assert.equal(world.status('s'), 'STUCK');
  assert.equal(world.memory.sagas.get('s')?.errorReason, 'SAGA_CHILD_TERMINATED');

  world.memory.act(after as unknown as AnyDefinition, 's', {
    action: 'retry',
    actionId: '2',
    actor: 'kim',
    reason: 'again',
  });
  await world.runtime.advance(10_000);
  assert.equal(world.status('s/parcel~1'), 'COMPLETED');
  assert.equal(world.status('s'), 'COMPLETED');
  assert.equal(log.at(-1), 'told bill');
  await world.during(engine.stop());
});

test('a child of a saga that the engine does not know is refused at once', () => {
  const world = sagaWorld();
  assert.throws(() => world.engine<Deps>([trip], undefined as never), { reason: 'SAGA_INVALID_DEFINITION' });
});
