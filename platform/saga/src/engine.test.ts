import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';

interface Deps {
  readonly log: string[];
  readonly fail: (step: string, attempt: number) => unknown;
}

const act = (name: string) => ({
  run: async (_ctx: unknown, call: { attempt: number }, deps: Deps) => {
    const error = deps.fail(name, call.attempt);
    deps.log.push(error === undefined ? name : `${name}!`);
    if (error !== undefined) throw error;
    return name;
  },
});
const undo = (name: string) => ({
  undo: async (_ctx: unknown, call: { attempt: number; result: unknown }, deps: Deps) => {
    const error = deps.fail(`undo-${name}`, call.attempt);
    deps.log.push(`undo-${name}${call.result === undefined ? '?' : ''}${error === undefined ? '' : '!'}`);
    if (error !== undefined) throw error;
    // What an undo answers is nobody's business: not even JSON is asked of it.
    return { at: 1n };
  },
});

const order = saga<Deps, { sku: string }>('order', 1)
  .deadline('10m')
  .step('check', { kind: 'read', ...act('check') })
  .step('reserve', { kind: 'compensatable', ...act('reserve'), ...undo('reserve') })
  .step('authorize', { kind: 'compensatable', ...act('authorize'), ...undo('authorize') })
  .step('confirm', { kind: 'pivot', ...act('confirm'), retry: { attempts: 3 } })
  .step('ship', { kind: 'retriable', ...act('ship') })
  .onCompensated(async (_ctx, call, deps) => void deps.log.push(`rejected ${call.failure.reason}`))
  .define();

const simple = saga<Deps, null>('simple', 1)
  .step('a', { kind: 'compensatable', ...act('a'), ...undo('a') })
  .step('b', { kind: 'compensatable', ...act('b'), ...undo('b') })
  .step('c', { kind: 'pivot', ...act('c') })
  .step('d', { kind: 'retriable', ...act('d') })
  .define();

/** The rounds of a day would take longer than what they are for. */
const LAZY = {
  pollMs: 60_000,
  heartbeatMs: 3_600_000,
  selfFenceMs: 7_000_000,
  leaseMs: 8_000_000,
  takeOverMs: 3_600_000,
  auditMs: 3_600_000,
};

async function runOrder(fail: Deps['fail'], forMs = 60_000) {
  const world = sagaWorld();
  const log: string[] = [];
  const engine = world.engine<Deps>([order, simple], { log, fail }, forMs > 60_000 ? LAZY : {});
  await world.during(engine.start());
  await world.start(engine, order, 'ord_1', { sku: 'tea' });
  await world.runtime.advance(forMs);
  await world.during(engine.stop());
  return { world, log };
}

test('all steps run in order and the saga is completed', async () => {
  const { world, log } = await runOrder(() => undefined);
  assert.deepEqual(log, ['check', 'reserve', 'authorize', 'confirm', 'ship']);
  assert.equal(world.status('ord_1'), 'COMPLETED');
});

test('a saga of four steps costs four appends beside its start', async () => {
  const world = sagaWorld();
  const engine = world.engine<Deps>([simple], { log: [], fail: () => undefined });
  await world.during(engine.start());
  await world.runtime.advance(50);
  const before = world.memory.commits;
  await world.start(engine, simple, 's', null);
  await world.runtime.advance(100);
  assert.equal(world.status('s'), 'COMPLETED');
  assert.equal(world.memory.commits - before, 4);
  await world.during(engine.stop());
});

test('a refusal undoes what is done, in reverse, and then says why', async () => {
  const { world, log } = await runOrder((step) => (step === 'confirm' ? shop.REFUSED() : undefined));
  assert.deepEqual(log.slice(3), ['confirm!', 'undo-authorize', 'undo-reserve', 'rejected SHOP_REFUSED']);
  assert.equal(world.status('ord_1'), 'COMPENSATED');
  assert.deepEqual(world.memory.kinds('ord_1').slice(-5), [
    'STEP_FAILED confirm',
    'TURNED',
    'UNDO_DONE authorize',
    'UNDO_DONE reserve',
    'ENDED',
  ]);
});

test('what may have happened is undone too when its attempts are over', async () => {
  const { log } = await runOrder((step) => (step === 'authorize' ? shop.LOST() : undefined));
  assert.deepEqual(log.slice(2), [
    ...Array(5).fill('authorize!'),
    'undo-authorize?',
    'undo-reserve',
    'rejected SHOP_LOST',
  ]);
});

test('what certainly did not happen is not undone', async () => {
  const { log } = await runOrder((step) => (step === 'authorize' ? shop.BUSY() : undefined));
  assert.deepEqual(log.slice(2), [...Array(5).fill('authorize!'), 'undo-reserve', 'rejected SHOP_BUSY']);
});

test('a pivot that may have happened is never taken back: it is repeated, then stuck', async () => {
  const { world, log } = await runOrder((step, attempt) =>
    step === 'confirm' ? (attempt === 1 ? shop.LOST() : shop.BUSY()) : undefined,
  );
  assert.deepEqual(log.slice(3), ['confirm!', 'confirm!', 'confirm!']);
  assert.equal(world.status('ord_1'), 'STUCK');
});

test('a pivot that certainly did not happen turns back when its attempts are over', async () => {
  const { world } = await runOrder((step) => (step === 'confirm' ? shop.BUSY() : undefined));
  assert.equal(world.status('ord_1'), 'COMPENSATED');
});

test('a retriable step is repeated until it succeeds, also over long pauses', async () => {
  const { world, log } = await runOrder(
    (step, attempt) => (step === 'ship' && attempt < 30 ? shop.BUSY() : undefined),
    3_600_000,
  );
  assert.equal(log.filter((line) => line === 'ship!').length, 29);
  assert.equal(world.status('ord_1'), 'COMPLETED');
});

test('a retriable step that is refused is stuck, and nothing is undone', async () => {
  const { world, log } = await runOrder((step) => (step === 'ship' ? shop.REFUSED() : undefined));
  assert.equal(world.status('ord_1'), 'STUCK');
  assert.ok(!log.some((line) => line.startsWith('undo')));
});

test('a defect is repeated a few times, then stuck', async () => {
  const { world, log } = await runOrder((step) => (step === 'reserve' ? new TypeError('bug') : undefined));
  assert.equal(log.filter((line) => line === 'reserve!').length, 5);
  assert.equal(world.status('ord_1'), 'STUCK');
});

test('an undo is repeated for a day, then stuck', async () => {
  const fail = (step: string) =>
    step === 'ship'
      ? undefined
      : step === 'confirm'
        ? shop.REFUSED()
        : step === 'undo-reserve'
          ? shop.BUSY()
          : undefined;
  const day = await runOrder(fail, 23 * 3_600_000);
  assert.equal(day.world.status('ord_1'), 'WAITING');
  const later = await runOrder(fail, 25 * 3_600_000);
  assert.equal(later.world.status('ord_1'), 'STUCK');
});

test('the deadline turns a saga back before its pivot', async () => {
  const { world, log } = await runOrder(
    (step) => (step === 'authorize' ? shop.BUSY({}, { afterMs: 3_600_000 }) : undefined),
    13 * 60_000,
  );
  assert.equal(world.status('ord_1'), 'COMPENSATED');
  assert.equal(log.at(-1), 'rejected SAGA_DEADLINE_EXCEEDED');
});

test('the deadline does not turn a saga back after its pivot', async () => {
  const { world } = await runOrder(
    (step, attempt) => (step === 'ship' && attempt < 40 ? shop.BUSY() : undefined),
    3_600_000,
  );
  assert.equal(world.status('ord_1'), 'COMPLETED');
});

test('an attempt that takes too long is unknown, and repeated under the same key', async () => {
  const world = sagaWorld();
  const keys: (string | undefined)[] = [];
  const slow = saga<null, null>('slow', 1)
    .step('wait', {
      kind: 'pivot',
      timeoutMs: 500,
      run: async (ctx, call) => {
        keys.push(ctx.idempotencyKey);
        if (call.attempt === 1) await new Promise(() => {});
      },
    })
    .define();
  const engine = world.engine<null>([slow], null);
  await world.during(engine.start());
  await world.start(engine, slow, 's', null);
  await world.runtime.advance(5_000);
  assert.deepEqual(keys, ['s/wait', 's/wait']);
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(engine.stop());
});

test('steps of a group run at once; a refusal aborts its siblings and undoes them in reverse order of completion', async () => {
  const world = sagaWorld();
  const log: string[] = [];
  const { timers } = world.runtime;
  const group = saga<null, null>('group', 1)
    .parallel((g) =>
      g
        .step('slow', {
          kind: 'compensatable',
          run: () => timers.sleep(200),
          undo: async () => void log.push('undo-slow'),
        })
        .step('quick', {
          kind: 'compensatable',
          run: () => timers.sleep(20),
          undo: async () => void log.push('undo-quick'),
        })
        .step('never', {
          kind: 'compensatable',
          run: (ctx) => timers.sleep(60_000, ctx.signal),
          undo: async (_ctx, call) => void log.push(`undo-never ${call.result}`),
        })
        .step('bad', {
          kind: 'read',
          run: async () => {
            await timers.sleep(300);
            throw shop.REFUSED();
          },
        }),
    )
    .define();
  const engine = world.engine<null>([group], null);
  await world.during(engine.start());
  await world.start(engine, group, 's', null);
  await world.runtime.advance(1_000);
  assert.deepEqual(log, ['undo-never undefined', 'undo-slow', 'undo-quick']);
  assert.equal(world.status('s'), 'COMPENSATED');
  await world.during(engine.stop());
});

test('stopping lets the running step finish, and the next engine goes on at once', async () => {
  const world = sagaWorld();
  const log: string[] = [];
  const two = saga<null, null>('two', 1)
    .step('a', { kind: 'read', run: () => world.runtime.timers.sleep(1_000).then(() => void log.push('a')) })
    .step('b', { kind: 'read', run: async () => void log.push('b') })
    .define();
  const first = world.engine<null>([two], null);
  await world.during(first.start());
  await world.start(first, two, 's', null);
  await world.runtime.advance(100);
  await world.during(first.stop());
  assert.deepEqual(log, ['a']);
  assert.equal(world.status('s'), 'WAITING');
  const second = world.engine<null>([two], null);
  await world.during(second.start());
  await world.runtime.advance(50);
  assert.deepEqual(log, ['a', 'b']);
  assert.equal(world.status('s'), 'COMPLETED');
  await world.during(second.stop());
});

test('no more sagas run at once than asked for; the others wait in the database', async () => {
  const world = sagaWorld();
  let running = 0;
  let most = 0;
  const one = saga<null, null>('one', 1)
    .step('a', {
      kind: 'read',
      run: async () => {
        most = Math.max(most, ++running);
        await world.runtime.timers.sleep(50);
        running--;
      },
    })
    .define();
  const engine = world.engine<null>([one], null, { concurrency: 4 });
  await world.during(engine.start());
  for (let i = 0; i < 20; i++) await world.start(engine, one, `s${i}`, null);
  await world.runtime.advance(10_000);
  assert.equal(most, 4);
  assert.ok([...world.memory.sagas.values()].every((row) => row.status === 'COMPLETED'));
  await world.during(engine.stop());
});

test('a worker without a heartbeat stops by itself before its lease ends, and comes back under a new id', async () => {
  const world = sagaWorld();
  const engine = world.engine<null>([], null);
  await world.during(engine.start());
  world.memory.failWhen(() => 'before');
  await world.runtime.advance(7_500);
  assert.equal(engine.health().state, 'recovering');
  world.memory.failWhen(() => undefined);
  await world.runtime.advance(2_000);
  assert.equal(engine.health().state, 'live');
  assert.equal(world.memory.workers.size, 2);
  await world.during(engine.stop());
});

test('a saga that is claimed again and again without progress is stuck', async () => {
  const world = sagaWorld();
  const log: string[] = [];
  const engine = world.engine<Deps>([simple], { log, fail: () => undefined });
  await world.start(engine, simple, 's', null);
  Object.assign(world.memory.sagas.get('s') ?? {}, { claims: 20, epoch: 20 });
  await world.during(engine.start());
  await world.runtime.advance(2_000);
  assert.equal(world.status('s'), 'STUCK');
  assert.deepEqual(log, []);
  await world.during(engine.stop());
});

test('a saga started with other steps under the same version is stuck, not guessed at', async () => {
  const world = sagaWorld();
  const changed = saga<Deps, null>('simple', 1)
    .step('z', { kind: 'read', ...act('z') })
    .define();
  const log: string[] = [];
  const deps = { log, fail: () => undefined };
  await world.start(world.engine<Deps>([simple], deps), simple, 's', null);
  const engine = world.engine<Deps>([changed], deps);
  await world.during(engine.start());
  await world.runtime.advance(2_000);
  assert.equal(world.status('s'), 'STUCK');
  assert.deepEqual(log, []);
  await world.during(engine.stop());
});

test('starting the same id twice does nothing the second time', async () => {
  const world = sagaWorld();
  const log: string[] = [];
  const engine = world.engine<Deps>([simple], { log, fail: () => undefined });
  await world.during(engine.start());
  await world.start(engine, simple, 's', null);
  await world.start(engine, simple, 's', null);
  await world.runtime.advance(1_000);
  assert.deepEqual(log, ['a', 'b', 'c', 'd']);
  await world.during(engine.stop());
});

test('what the lost worker may have done is undone, even when its successor cannot do it', async () => {
  const world = sagaWorld();
  const log: string[] = [];
  const life = { gone: false };
  const dying = saga<Deps, null>('simple', 1)
    .step('a', { kind: 'compensatable', ...act('a'), ...undo('a') })
    .step('b', { kind: 'compensatable', run: () => new Promise<string>(() => {}), ...undo('b') })
    .step('c', { kind: 'pivot', ...act('c') })
    .step('d', { kind: 'retriable', ...act('d') })
    .define();
  const engine = world.engine<Deps>([dying], { log, fail: () => undefined }, {}, life);
  await world.during(engine.start());
  await world.start(engine, dying, 's', null);
  await world.runtime.advance(100);
  life.gone = true;
  for (const worker of world.memory.workers.values()) worker.live = false;
  const next = world.engine<Deps>([simple], { log, fail: (step) => (step === 'b' ? shop.BUSY() : undefined) });
  await world.during(next.start());
  await world.runtime.advance(60_000);
  assert.equal(world.status('s'), 'COMPENSATED');
  assert.deepEqual(log.slice(-2), ['undo-b?', 'undo-a']);
  await world.during(next.stop());
});

test('a step behind a read that leaves nothing in the journal may have happened too when its worker is lost', async () => {
  for (const kind of ['compensatable', 'pivot'] as const) {
    const world = sagaWorld();
    const log: string[] = [];
    const life = { gone: false };
    const hang = () => new Promise<string>(() => {});
    const look = { kind: 'read' as const, run: async () => {} };
    const begun = saga<Deps, null>('s', 1).step('look', look);
    const declare = (run: () => Promise<string>) =>
      kind === 'pivot'
        ? begun.step('it', { kind, run, retry: { attempts: 3 } }).define()
        : begun.step('it', { kind, run, ...undo('it'), retry: { attempts: 3 } }).define();
    const deps = { log, fail: () => undefined };
    const dying = declare(hang);
    const engine = world.engine<Deps>([dying], deps, {}, life);
    await world.during(engine.start());
    await world.start(engine, dying, 's', null);
    await world.runtime.advance(100);
    life.gone = true;
    for (const worker of world.memory.workers.values()) worker.live = false;
    // A builder's steps add up: the declaration begins anew.
    const again = saga<Deps, null>('s', 1).step('look', look);
    const busy = () => Promise.reject(shop.BUSY());
    const definition =
      kind === 'pivot'
        ? again.step('it', { kind, run: busy, retry: { attempts: 3 } }).define()
        : again.step('it', { kind, run: busy, ...undo('it'), retry: { attempts: 3 } }).define();
    const next = world.engine<Deps>([definition], deps);
    await world.during(next.start());
    await world.runtime.advance(60_000);
    assert.equal(world.status('s'), kind === 'pivot' ? 'STUCK' : 'COMPENSATED', kind);
    assert.deepEqual(log, kind === 'pivot' ? [] : ['undo-it?']);
    await world.during(next.stop());
  }
});
