import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';

interface Deps {
  readonly log: string[];
}
const say = (text: string) => async (_ctx: unknown, _call: unknown, deps: Deps) => void deps.log.push(text);
const HOUR = 3_600_000;
const QUIET = {
  pollMs: 30_000,
  heartbeatMs: 60_000,
  selfFenceMs: 300_000,
  leaseMs: 900_000,
  takeOverMs: 60_000,
  auditMs: 60_000,
};

const approval = saga<Deps, null>('approval', 1)
  .deadline('3d')
  .step('ask', { kind: 'compensatable', run: say('ask'), undo: say('undo-ask') })
  .waitFor('approval', { signal: 'approved', timeout: '2d', onTimeout: 'turn' })
  .step('go', {
    kind: 'pivot',
    run: async (_ctx, call, deps) => void deps.log.push(`go ${JSON.stringify(call.results.approval)}`),
  })
  .define();

async function running(definition = approval) {
  const world = sagaWorld();
  const log: string[] = [];
  const engine = world.engine<Deps>([definition], { log }, QUIET);
  await world.during(engine.start());
  const signal = (signalId: string, body: string, name = 'approved') =>
    world.tx((tx) => engine.sagas.signal(tx, { id: 's', name, signalId, body }));
  return { world, log, engine, signal };
}

test('a saga that waits for a signal is owned by nobody, and goes on with the body of the signal', async () => {
  const { world, log, engine, signal } = await running();
  await world.start(engine, approval, 's', null);
  await world.runtime.advance(HOUR);
  assert.equal(world.status('s'), 'WAITING');
  assert.equal(world.memory.sagas.get('s')?.owner, undefined);
  await signal('1', 'by Kim');
  await world.runtime.advance(50);
  assert.deepEqual(log, ['ask', 'go "by Kim"']);
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(engine.stop());
});

test('a signal that comes before the wait is kept for it, and each is taken once', async () => {
  const { world, log, engine, signal } = await running();
  await world.start(engine, approval, 's', null);
  await signal('1', 'first');
  await signal('1', 'again');
  await signal('2', 'second');
  await world.runtime.advance(100);
  assert.deepEqual(log, ['ask', 'go "first"']);
  const taken = world.memory.kinds('s').filter((kind) => kind.startsWith('SIGNALLED'));
  assert.ok(taken.length <= 3, taken.join());
  await world.during(engine.stop());
});

test('a signal of another name wakes nobody up for good', async () => {
  const { world, log, engine, signal } = await running();
  await world.start(engine, approval, 's', null);
  await world.runtime.advance(100);
  await signal('1', 'x', 'looked-at');
  await world.runtime.advance(10_000);
  assert.deepEqual(log, ['ask']);
  assert.equal(world.status('s'), 'WAITING');
  assert.equal(world.memory.sagas.get('s')?.claims, 0);
  await signal('2', 'yes');
  await world.runtime.advance(100);
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(engine.stop());
});

test('a signal that comes while nothing runs is taken by the next engine', async () => {
  const { world, log, engine, signal } = await running();
  await world.start(engine, approval, 's', null);
  await world.runtime.advance(100);
  await world.during(engine.stop());
  await signal('1', 'late');
  const next = world.engine<Deps>([approval], { log }, QUIET);
  await world.during(next.start());
  await world.runtime.advance(100);
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(next.stop());
});

test('a signal from another process to a saga that runs here is heard within pollMs', async () => {
  const { world, log, engine } = await running();
  const slow = saga<Deps, null>('slow', 1)
    .step('work', { kind: 'read', run: () => world.runtime.timers.sleep(5_000) })
    .waitFor('done', { signal: 'done', onTimeout: 'turn' })
    .define();
  const here = world.engine<Deps>([slow], { log });
  await world.during(here.start());
  await world.start(here, slow, 'x', null);
  await world.runtime.advance(100);
  await world.memory.storage.signal(undefined as never, [{ sagaId: 'x', name: 'done', signalId: '1', body: 1 }], 0);
  await world.runtime.advance(5_200);
  assert.equal(world.status('x'), 'COMPLETED');
  assert.equal(world.memory.sagas.get('x')?.epoch, 1, 'it was never let go of');
  await world.during(here.stop());
  await world.during(engine.stop());
});

test('a wait whose time is over turns the saga back, saying so', async () => {
  const { world, log, engine } = await running();
  await world.start(engine, approval, 's', null);
  await world.runtime.advance(47 * HOUR);
  assert.equal(world.status('s'), 'WAITING');
  await world.runtime.advance(2 * HOUR);
  assert.deepEqual(log, ['ask', 'undo-ask']);
  assert.equal(world.status('s'), 'COMPENSATED');
  assert.equal(world.memory.sagas.get('s')?.errorReason, 'SAGA_SIGNAL_TIMED_OUT');
  await world.during(engine.stop());
});

test('a wait that may go on without its signal has no result then', async () => {
  const optional = saga<Deps, null>('optional', 1)
    .step('sold', { kind: 'pivot', run: say('sold') })
    .waitFor('rating', { signal: 'rated', timeout: '1h', onTimeout: 'continue' })
    .step('thank', {
      kind: 'retriable',
      run: async (_ctx, call, deps) => void deps.log.push(`thanks for ${call.results.rating}`),
    })
    .define();
  const { world, log, engine } = await running(optional as never);
  await world.start(engine, optional, 's', null);
  await world.runtime.advance(HOUR + 60_000);
  assert.deepEqual(log, ['sold', 'thanks for undefined']);
  await world.during(engine.stop());
});

test('a sleep lasts its time over a restart, is not begun anew, and is over at once when its time passed meanwhile', async () => {
  const sleeper = saga<Deps, { until: number }>('sleeper', 1)
    .deadline('9d')
    .sleep('three-days', '3d')
    .sleep('until', (call) => call.input.until)
    .step('wake', { kind: 'retriable', run: say('awake') })
    .define();
  const world = sagaWorld();
  const log: string[] = [];
  const beginMs = world.runtime.clock.now();
  const first = world.engine<Deps>([sleeper], { log }, QUIET);
  await world.during(first.start());
  await world.start(first, sleeper, 's', { until: beginMs + 80 * HOUR });
  await world.runtime.advance(24 * HOUR);
  assert.equal(world.memory.sagas.get('s')?.owner, undefined);
  await world.during(first.stop());
  const second = world.engine<Deps>([sleeper], { log }, QUIET);
  await world.during(second.start());
  await world.runtime.advance(50 * HOUR);
  assert.deepEqual(world.memory.kinds('s'), ['STARTED', 'WAITING three-days', 'TIMER three-days', 'WAITING until']);
  await world.during(second.stop());
  await world.runtime.advance(10 * HOUR);
  const third = world.engine<Deps>([sleeper], { log }, QUIET);
  await world.during(third.start());
  await world.runtime.advance(100);
  assert.deepEqual(log, ['awake']);
  await world.during(third.stop());
});

test('a short sleep is committed before it is slept', async () => {
  const nap = saga<Deps, null>('nap', 1)
    .sleep('nap', '500ms')
    .step('wake', { kind: 'retriable', run: say('awake') })
    .define();
  const { world, log, engine } = await running(nap as never);
  await world.start(engine, nap, 's', null);
  await world.runtime.advance(250);
  assert.deepEqual(world.memory.kinds('s'), ['STARTED', 'WAITING nap']);
  await world.runtime.advance(400);
  assert.deepEqual(log, ['awake']);
  await world.during(engine.stop());
});

test('a step whose condition is false is skipped without a commit of its own, has no result and is not undone', async () => {
  let asked = 0;
  const conditional = saga<Deps, { gift: boolean }>('conditional', 1)
    .step('wrap', {
      kind: 'compensatable',
      when: (call) => {
        asked++;
        return call.input.gift;
      },
      run: async (_ctx, _call, deps) => {
        deps.log.push('wrap');
        return 'paper';
      },
      undo: say('undo-wrap'),
    })
    .step('reserve', { kind: 'compensatable', run: say('reserve'), undo: say('undo-reserve') })
    .step('pay', {
      kind: 'pivot',
      run: async (_ctx, call, deps) => {
        deps.log.push(`pay ${call.results.wrap?.length}`);
        throw shop.REFUSED();
      },
    })
    .define();
  const { world, log, engine } = await running(conditional as never);
  await world.runtime.advance(10);
  const before = world.memory.commits;
  await world.start(engine, conditional, 's', { gift: false });
  await world.runtime.advance(100);
  assert.deepEqual(log, ['reserve', 'pay undefined', 'undo-reserve']);
  assert.deepEqual(world.memory.kinds('s').slice(0, 3), ['STARTED', 'SKIPPED wrap', 'STEP_DONE reserve']);
  assert.equal(world.memory.commits - before, 3, 'reserve, refusal, undo with the end');
  assert.equal(asked, 1);
  await world.start(engine, conditional, 't', { gift: true });
  await world.runtime.advance(100);
  assert.deepEqual(log.slice(3), ['wrap', 'reserve', 'pay 5', 'undo-reserve', 'undo-wrap']);
  await world.during(engine.stop());
});

test('a condition that throws leaves the saga stuck', async () => {
  const odd = saga<Deps, null>('odd', 1)
    .step('a', {
      kind: 'read',
      when: () => {
        throw new TypeError('bug');
      },
      run: say('a'),
    })
    .define();
  const { world, log, engine } = await running(odd as never);
  await world.start(engine, odd, 's', null);
  await world.runtime.advance(100);
  assert.equal(world.status('s'), 'STUCK');
  assert.deepEqual(log, []);
  await world.during(engine.stop());
});
