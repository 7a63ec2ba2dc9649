import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '@souk/kernel';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';
import type { AnyDefinition, Json, Resolution, SagaDefinition } from './definition.ts';
import { manualReview } from './outcome.ts';

interface Deps {
  readonly log: string[];
  readonly fail: (step: string, attempt: number) => unknown;
}
const act =
  (name: string) =>
  async (_ctx: Context, call: { attempt: number }, deps: Deps): Promise<string> => {
    const error = deps.fail(name, call.attempt);
    deps.log.push(error === undefined ? name : `${name}!`);
    if (error !== undefined) throw error;
    return name;
  };

async function outcome<TInput extends Json>(
  definition: SagaDefinition<Deps, TInput>,
  input: TInput,
  fail: Deps['fail'],
  forMs = 120_000,
) {
  const world = sagaWorld();
  const log: string[] = [];
  const engine = world.engine<Deps>([definition], { log, fail });
  await world.during(engine.start());
  await world.start(engine, definition, 's', input);
  await world.runtime.advance(forMs);
  const act = (action: object) =>
    world.memory.act(definition as unknown as AnyDefinition, 's', {
      actionId: `${log.length}${JSON.stringify(action)}`,
      actor: 'usr_1',
      reason: 'because',
      ...action,
    } as never);
  const row = () => world.memory.sagas.get('s');
  return { world, log, engine, act, row, status: () => world.status('s') };
}

const three = (onUndoFailure: 'stop' | 'continue') =>
  saga<Deps, null>('three', 1)
    .compensation({ order: 'reverse', onUndoFailure })
    .step('a', { kind: 'compensatable', run: act('a'), undo: act('undo-a') })
    .step('b', { kind: 'compensatable', run: act('b'), undo: act('undo-b'), undoFor: '1m' })
    .step('c', { kind: 'compensatable', run: act('c'), undo: act('undo-c') })
    .step('p', { kind: 'pivot', run: act('p') })
    .onCompensated(async (_ctx, _call, deps) => void deps.log.push('closed'))
    .define();
const turned = (step: string) => (step === 'p' || step === 'undo-c' || step === 'undo-b' ? shop.REFUSED() : undefined);

test('an undo that fails stops the saga, and nothing further is undone', async () => {
  const { log, status, engine, world, row } = await outcome(three('stop'), null, turned);
  assert.deepEqual(log.slice(3), ['p!', 'undo-c!']);
  assert.equal(status(), 'STUCK');
  assert.equal(row()?.step, 'c');
  await world.during(engine.stop());
});

test('with continue the other undos are done, then the saga is STUCK naming all that failed, and never COMPENSATED', async () => {
  const { log, status, engine, world, row, act } = await outcome(three('continue'), null, turned);
  assert.deepEqual(log.slice(3), ['p!', 'undo-c!', 'undo-b!', 'undo-a']);
  assert.equal(status(), 'STUCK');
  assert.equal(row()?.errorReason, 'SAGA_UNDO_FAILED');
  assert.match(JSON.stringify(row()?.journal.at(-1)?.body), /could not be undone: c, b/);

  assert.equal(act({ action: 'skip', step: 'c' }), undefined);
  await world.runtime.advance(10_000);
  assert.equal(status(), 'STUCK', 'b is still not undone');
  assert.equal(act({ action: 'skip', step: 'b' }), undefined);
  await world.runtime.advance(10_000);
  assert.equal(status(), 'COMPENSATED');
  assert.equal(log.at(-1), 'closed');
  await world.during(engine.stop());
});

test('a retry tries the undos that failed again, in their order', async () => {
  let broken = true;
  const { log, status, engine, world, act } = await outcome(three('continue'), null, (step) =>
    broken || step === 'p' ? turned(step) : undefined,
  );
  broken = false;
  act({ action: 'retry' });
  await world.runtime.advance(10_000);
  assert.deepEqual(log.slice(-3), ['undo-c', 'undo-b', 'closed']);
  assert.equal(status(), 'COMPENSATED');
  await world.during(engine.stop());
});

test('an undo is repeated for as long as its step says', async () => {
  const busy = (step: string) => (step === 'p' ? shop.REFUSED() : step === 'undo-b' ? shop.BUSY() : undefined);
  const early = await outcome(three('stop'), null, busy, 40_000);
  assert.notEqual(early.status(), 'STUCK');
  await early.world.during(early.engine.stop());
  const late = await outcome(three('stop'), null, busy, 400_000);
  assert.equal(late.status(), 'STUCK');
  await late.world.during(late.engine.stop());
});

test('an error that the step names, by reason or code, is not retried', async () => {
  for (const never of ['SHOP_BUSY', 'unavailable']) {
    const picky = saga<Deps, null>('picky', 1)
      .step('a', { kind: 'read', run: act('a'), retry: { never: [never] } })
      .define();
    const { log, status, world, engine } = await outcome(picky, null, () => shop.BUSY());
    assert.deepEqual(log, ['a!']);
    assert.equal(status(), 'COMPENSATED');
    await world.during(engine.stop());
  }
});

test('no attempt begins after the deadline of the step, and the deadline of the saga is another', async () => {
  const patient = saga<Deps, null>('patient', 1)
    .step('p', { kind: 'pivot', run: act('p') })
    .step('r', { kind: 'retriable', run: act('r'), deadline: '20s' })
    .define();
  const { status, world, engine } = await outcome(patient, null, (step) => (step === 'r' ? shop.BUSY() : undefined));
  assert.equal(status(), 'STUCK');
  await world.during(engine.stop());
});

test('a step that asks for a person leaves the saga stuck at once', async () => {
  const careful = saga<Deps, null>('careful', 1)
    .step('a', { kind: 'compensatable', run: act('a'), undo: act('undo-a') })
    .define();
  const { log, status, row, world, engine } = await outcome(careful, null, () =>
    manualReview('two parcels, one label'),
  );
  assert.deepEqual(log, ['a!']);
  assert.equal(status(), 'STUCK');
  assert.equal(row()?.errorReason, 'SAGA_MANUAL_REVIEW');
  await world.during(engine.stop());
});

const resolving = (resolve: (attempt: number) => Resolution<string>) =>
  saga<Deps, null>('resolving', 1)
    .step('a', { kind: 'compensatable', run: act('a'), undo: act('undo-a') })
    .step('p', {
      kind: 'pivot',
      retry: { attempts: 4 },
      run: act('p'),
      resolve: async (ctx, call, deps) => {
        const answer = resolve(call.attempt);
        deps.log.push(`ask ${ctx.idempotencyKey} ${JSON.stringify(answer)}`);
        return answer;
      },
    })
    .step('r', { kind: 'retriable', run: async (_ctx, call, deps) => void deps.log.push(`r ${call.results.p}`) })
    .define();
const lost = (step: string) => (step === 'p' ? shop.LOST() : undefined);

test('a pivot that did not answer is asked about, and what it says it did is its result', async () => {
  const { log, status, world, engine } = await outcome(
    resolving((n) => (n < 3 ? 'unknown' : { done: 'paid' })),
    null,
    lost,
  );
  assert.deepEqual(log, ['a', 'p!', 'ask s/p "unknown"', 'ask s/p {"done":"paid"}', 'r paid']);
  assert.equal(status(), 'COMPLETED');
  await world.during(engine.stop());
});

test('a pivot that was not done is tried again, and the saga turns back when its attempts are over', async () => {
  const { log, status, world, engine } = await outcome(
    resolving(() => 'not-done'),
    null,
    lost,
  );
  assert.deepEqual(log, ['a', 'p!', 'ask s/p "not-done"', 'p!', 'ask s/p "not-done"', 'undo-a']);
  assert.equal(status(), 'COMPENSATED');
  await world.during(engine.stop());
});

test('while a pivot is unknown nothing is undone', async () => {
  const { log, status, world, engine, act } = await outcome(
    resolving(() => 'unknown'),
    null,
    lost,
  );
  assert.equal(status(), 'STUCK');
  assert.ok(!log.includes('undo-a'));
  assert.equal(act({ action: 'compensate' })?.reason, 'SAGA_ACTION_REFUSED');
  assert.equal(act({ action: 'compensate', force: true }), undefined);
  await world.runtime.advance(3_000);
  assert.equal(status(), 'COMPENSATED');
  await world.during(engine.stop());
});

test('a saga that is paused rests until it is resumed', async () => {
  const { log, status, world, engine, act } = await outcome(
    three('stop'),
    null,
    (step, attempt) => (step === 'b' && attempt === 1 ? shop.BUSY({}, { afterMs: 60_000 }) : undefined),
    5_000,
  );
  assert.equal(act({ action: 'pause' }), undefined);
  await world.runtime.advance(600_000);
  assert.equal(status(), 'PAUSED');
  assert.deepEqual(log, ['a', 'b!']);
  assert.equal(act({ action: 'resume' }), undefined);
  await world.runtime.advance(5_000);
  assert.equal(status(), 'COMPLETED');
  await world.during(engine.stop());
});

test('an edited step sees its new input under a new key, and its undo takes back that key', async () => {
  const keys: string[] = [];
  const edited = saga<Deps, { sku: string }>('edited', 1)
    .step('a', {
      kind: 'compensatable',
      run: async (ctx, call) => {
        keys.push(`${ctx.idempotencyKey} ${call.input.sku}`);
        if (call.input.sku === 'bad') throw manualReview('no such sku');
      },
      undo: async (ctx, call) => void keys.push(`${ctx.idempotencyKey} ${call.input.sku}`),
    })
    .step('b', {
      kind: 'compensatable',
      run: async (_ctx, call) => void keys.push(call.input.sku),
      undo: act('undo-b'),
    })
    .step('p', { kind: 'pivot', run: act('p') })
    .define();
  const {
    status,
    world,
    engine,
    act: operate,
  } = await outcome(edited, { sku: 'bad' }, (step) => (step === 'p' ? shop.REFUSED() : undefined));
  assert.equal(status(), 'STUCK');
  assert.equal(
    operate({ action: 'edit', input: { sku: 'tea' } })?.reason,
    'SAGA_ACTION_REFUSED',
    'it may have happened',
  );
  assert.equal(operate({ action: 'edit', input: { sku: 'tea' }, force: true }), undefined);
  await world.runtime.advance(3_000);
  assert.deepEqual(keys, ['s/a bad', 's/a~1 tea', 'bad', 's/a~1/undo tea']);
  assert.equal(status(), 'COMPENSATED');
  await world.during(engine.stop());
});
