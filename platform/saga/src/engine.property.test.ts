import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '@souk/kernel';
import fc from 'fast-check';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';
import type { SagaDefinition } from './definition.ts';
import { fromRow } from './journal.ts';
import { decide, fold } from './machine.ts';
import type { MemorySaga } from './testing-storage.ts';

/** What a participant does with an attempt: `lost` does the work and then does not answer. */
type Answer = 'ok' | 'refused' | 'busy' | 'lost' | 'silent';
const ANSWERS: readonly Answer[] = ['ok', 'refused', 'busy', 'lost', 'silent'];

/** Participants as they must be: idempotent by key, and refusing what was already undone. */
function participants(script: (key: string) => Answer, pause: () => Promise<void>) {
  const effects = new Map<string, 'done' | 'undone' | 'refused'>();
  const undos: string[] = [];
  const forward = async (ctx: Context): Promise<void> => {
    const key = ctx.idempotencyKey ?? '';
    await pause();
    const answer = script(key);
    const known = effects.get(key);
    if (known === 'undone') throw shop.REFUSED();
    if (answer === 'busy') throw shop.BUSY();
    if (known === 'refused') throw shop.REFUSED();
    if (answer === 'refused' && known === undefined) {
      effects.set(key, 'refused');
      throw shop.REFUSED();
    }
    if (answer === 'silent') throw shop.LOST();
    effects.set(key, 'done');
    if (answer === 'lost') throw shop.LOST();
  };
  const backward = async (ctx: Context): Promise<void> => {
    const key = ctx.idempotencyKey ?? '';
    await pause();
    const answer = script(key);
    if (answer === 'busy' || answer === 'silent') throw shop.BUSY();
    const step = key.replace(/\/undo$/, '');
    if (effects.get(step) === 'done') undos.push(step);
    effects.set(step, 'undone');
    if (answer === 'lost') throw shop.LOST();
  };
  return { effects, undos, forward, backward };
}

type Parts = ReturnType<typeof participants>;
const run = (ctx: Context, _call: unknown, parts: Parts) => parts.forward(ctx);
const undo = (ctx: Context, _call: unknown, parts: Parts) => parts.backward(ctx);
const definition = saga<Parts, null>('any', 1)
  .step('a', { kind: 'compensatable', run, undo })
  .parallel((group) =>
    group.step('b1', { kind: 'compensatable', run, undo }).step('b2', { kind: 'compensatable', run, undo }),
  )
  .step('look', { kind: 'read', run: async () => {} })
  .step('c', { kind: 'compensatable', run, undo })
  .step('look-again', { kind: 'read', run: async () => {} })
  .step('pivot', { kind: 'pivot', run, retry: { attempts: 4 } })
  .parallel((group) => group.step('d1', { kind: 'retriable', run }).step('d2', { kind: 'retriable', run }))
  .define();
const BEFORE = ['a', 'b1', 'b2', 'c'];
const AFTER = ['d1', 'd2'];

function checkJournal(row: MemorySaga): void {
  const records = row.journal.map(fromRow);
  assert.deepEqual(
    row.journal.map((record) => record.seq),
    row.journal.map((_record, index) => index + 1),
    'sequence numbers without gaps',
  );
  const state = fold(definition as SagaDefinition<never, never>, records);
  const next = decide(definition as SagaDefinition<never, never>, state);
  const final = row.status === 'COMPLETED' || row.status === 'COMPENSATED';
  assert.equal(row.direction, state.direction);
  assert.equal(final, state.phase === 'ended');
  assert.equal(row.status === 'STUCK', state.phase === 'stuck');
  assert.equal(final || row.status === 'STUCK', next.is === 'rest');
  assert.equal(row.owner !== undefined, row.status === 'RUNNING');
}

test('whatever fails and crashes, each effect is done once or undone, undos run in reverse, and nothing after the pivot is undone', async () => {
  const plan = fc.record({
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    // The first answers per key; after them all goes well, so that every saga can end.
    answers: fc.array(fc.array(fc.constantFrom(...ANSWERS), { maxLength: 6 }), { minLength: 12, maxLength: 12 }),
    faults: fc.array(fc.constantFrom(undefined, undefined, undefined, 'before' as const, 'after' as const), {
      maxLength: 40,
    }),
    crashes: fc.array(fc.integer({ min: 1, max: 80 }), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ seed, answers, faults, crashes }) => {
      const world = sagaWorld({ seed });
      const keys = [...BEFORE, 'pivot', ...AFTER].map((step) => `s/${step}`);
      const all = [...keys, ...keys.map((key) => `${key}/undo`)];
      const asked = new Map<string, number>();
      const parts = participants(
        (key) => {
          const count = asked.get(key) ?? 0;
          asked.set(key, count + 1);
          const answer = answers[all.indexOf(key) % answers.length]?.[count] ?? 'ok';
          return answer === 'refused' && AFTER.some((step) => key === `s/${step}`) ? 'busy' : answer;
        },
        () => world.runtime.timers.sleep(3),
      );
      let call = 0;
      const boot = async (dead: { gone: boolean }) => {
        const mortal = {
          ...parts,
          forward: (ctx: Context) => (dead.gone ? new Promise<void>(() => {}) : parts.forward(ctx)),
          backward: (ctx: Context) => (dead.gone ? new Promise<void>(() => {}) : parts.backward(ctx)),
        };
        const engine = world.engine<Parts>([definition], mortal, {}, dead);
        await world.during(engine.start());
        return engine;
      };
      let life = { gone: false };
      let engine = await boot(life);
      world.memory.failWhen(() => faults[call++]);
      await world.start(engine, definition, 's', null);
      for (const crashAfterMs of crashes) {
        await world.runtime.advance(crashAfterMs);
        life.gone = true;
        world.memory.failWhen(() => undefined);
        for (const worker of world.memory.workers.values()) worker.live = false;
        life = { gone: false };
        engine = await boot(life);
      }
      await world.runtime.advance(4 * 60_000);
      const row = world.memory.sagas.get('s') as MemorySaga;
      checkJournal(row);

      const effect = (step: string) => parts.effects.get(`s/${step}`);
      if (row.status === 'COMPLETED')
        for (const step of [...BEFORE, 'pivot', ...AFTER]) assert.equal(effect(step), 'done', step);
      if (row.status === 'COMPENSATED') {
        for (const step of BEFORE) assert.notEqual(effect(step), 'done', step);
        for (const step of ['pivot', ...AFTER]) assert.notEqual(effect(step), 'done', step);
        const records = row.journal.map(fromRow);
        const done = records.flatMap((record) =>
          record.kind === 'STEP_DONE' && !record.step.startsWith('look') ? [record.step] : [],
        );
        const undone = records.flatMap((record) => (record.kind === 'UNDO_DONE' ? [record.step] : []));
        const committed = undone.filter((step) => done.includes(step));
        assert.deepEqual(committed, done.toReversed(), 'undos are the reverse of what was done');
        assert.deepEqual(undone.slice(undone.length - committed.length), committed, 'doubtful steps are undone first');
      }
      assert.ok(['COMPLETED', 'COMPENSATED', 'STUCK'].includes(row.status), `${row.status} must not last`);
      if (row.status === 'STUCK') assert.notEqual(effect('pivot'), 'refused');
      for (const step of AFTER)
        assert.ok(effect(step) === undefined || effect('pivot') === 'done', 'nothing before the pivot is done');
      assert.equal(new Set(parts.undos).size, parts.undos.length, 'no effect is undone twice');
      await world.during(engine.stop());
    }),
    { numRuns: 120 },
  );
});

/** A child that can be taken back, or is undone as one step once it is past its pivot. */
const kid = saga<Parts, { readonly n: number }>('kid', 1)
  .step('x', { kind: 'compensatable', run, undo })
  .step('kp', { kind: 'pivot', run, retry: { attempts: 50 } })
  .step('y', { kind: 'retriable', run })
  .define();
const family = saga<Parts, { readonly gift: boolean }>('family', 1)
  .deadline('1h')
  .step('a', { kind: 'compensatable', run, undo })
  .step('wrap', { kind: 'compensatable', when: (call) => call.input.gift, run, undo })
  .parallel((group) =>
    group
      .child('kid', {
        kind: 'compensatable',
        saga: kid,
        input: () => ({ n: 1 }),
        undo: async (ctx, call, parts) => {
          await parts.backward(ctx);
          for (const step of ['x', 'kp', 'y']) parts.effects.set(`${call.sagaId}/kid/${step}`, 'undone');
        },
      })
      .step('b', { kind: 'compensatable', run, undo }),
  )
  .waitFor('approval', { signal: 'go', timeout: '20s', onTimeout: 'turn' })
  .step('pivot', { kind: 'pivot', run, retry: { attempts: 50 } })
  .sleep('nap', '2s')
  .child('late', { kind: 'retriable', saga: kid, input: (call) => ({ n: call.input.gift ? 1 : 2 }) })
  .define();

test('children, waits, timers and cancellations hold over crashes: nothing is lost, doubled, or undone past the pivot', async () => {
  const plan = fc.record({
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    gift: fc.boolean(),
    answers: fc.array(fc.array(fc.constantFrom(...ANSWERS), { maxLength: 4 }), { minLength: 12, maxLength: 12 }),
    faults: fc.array(fc.constantFrom(undefined, undefined, undefined, 'before' as const, 'after' as const), {
      maxLength: 40,
    }),
    crashes: fc.array(fc.integer({ min: 1, max: 4_000 }), { maxLength: 3 }),
    signalAt: fc.option(fc.integer({ min: 1, max: 15_000 }), { nil: undefined }),
    cancelAt: fc.option(fc.integer({ min: 1, max: 15_000 }), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ seed, gift, answers, faults, crashes, signalAt, cancelAt }) => {
      const world = sagaWorld({ seed });
      const asked = new Map<string, number>();
      const parts = participants(
        (key) => {
          const count = asked.get(key) ?? 0;
          asked.set(key, count + 1);
          const hash = [...key].reduce((sum, char) => sum + char.charCodeAt(0), 0);
          const answer = answers[hash % answers.length]?.[count] ?? 'ok';
          // What cannot be taken back is not refused: it would be stuck, and that is another test.
          return answer === 'refused' && /late|\/y$/.test(key) ? 'busy' : answer;
        },
        () => world.runtime.timers.sleep(3),
      );
      let call = 0;
      const boot = async (dead: { gone: boolean }) => {
        const never = () => new Promise<void>(() => {});
        const mortal = {
          ...parts,
          forward: (ctx: Context) => (dead.gone ? never() : parts.forward(ctx)),
          backward: (ctx: Context) => (dead.gone ? never() : parts.backward(ctx)),
        };
        const engine = world.engine<Parts>([family, kid], mortal, {}, dead);
        await world.during(engine.start());
        return engine;
      };
      let life = { gone: false };
      let engine = await boot(life);
      world.memory.failWhen(() => faults[call++]);
      await world.start(engine, family, 's', { gift });
      const at = (ms: number | undefined, work: () => Promise<void>) =>
        ms === undefined ? undefined : world.runtime.timers.after(ms, () => void work());
      at(signalAt, () =>
        world.tx((tx) => engine.sagas.signal(tx, { id: 's', name: 'go', signalId: '1', body: 'yes' })),
      );
      at(cancelAt, () =>
        world.tx((tx) => engine.sagas.cancel(tx, 's', { actor: 'kim', reason: 'no more', actionId: 'c' })),
      );
      for (const crashAfterMs of crashes) {
        await world.runtime.advance(crashAfterMs);
        life.gone = true;
        world.memory.failWhen(() => undefined);
        for (const worker of world.memory.workers.values()) worker.live = false;
        life = { gone: false };
        engine = await boot(life);
      }
      await world.runtime.advance(3 * 60_000);

      const row = world.memory.sagas.get('s') as MemorySaga;
      const { status } = row;
      const effect = (step: string) => parts.effects.get(`s/${step}`);
      const records = row.journal.map(fromRow);
      const child = world.memory.sagas.get('s/kid')?.status;
      assert.ok(status === 'COMPLETED' || status === 'COMPENSATED', `${status} ${row.step} ${child}`);
      assert.deepEqual(
        row.journal.map((record) => record.seq),
        row.journal.map((_record, index) => index + 1),
      );
      for (const other of world.memory.sagas.values())
        assert.ok(['COMPLETED', 'COMPENSATED'].includes(other.status), `${other.id} ${other.status}`);
      if (status === 'COMPLETED') {
        for (const step of ['a', 'b', 'kid/x', 'kid/kp', 'kid/y', 'pivot', 'late/x', 'late/y'])
          assert.equal(effect(step), 'done', step);
        assert.equal(effect('wrap'), gift ? 'done' : undefined);
        assert.ok(signalAt !== undefined, 'nobody approved');
      } else {
        for (const step of ['a', 'b', 'wrap', 'kid/x', 'kid/kp', 'kid/y', 'pivot', 'late/x'])
          assert.notEqual(effect(step), 'done', step);
      }
      const count = (kind: string, step?: string) =>
        records.filter((one) => one.kind === kind && (step === undefined || ('step' in one && one.step === step)))
          .length;
      assert.ok(count('SIGNALLED', 'approval') <= 1 && count('TIMER', 'nap') <= 1 && count('CHILD', 'kid') <= 1);
      assert.ok(count('ACTION') <= 1, 'a cancellation is answered once');
      assert.equal(new Set(parts.undos).size, parts.undos.length, 'no effect is undone twice');
      const firstUndo = records.findIndex((one) => one.kind === 'UNDO_DONE');
      const childEnd = records.findIndex((one) => one.kind === 'CHILD' && one.step === 'kid');
      if (firstUndo >= 0 && child !== undefined)
        assert.ok(childEnd >= 0 && childEnd < firstUndo, 'nothing is undone while a child runs');
      for (const signal of world.memory.signals.values())
        assert.ok(signal.taken || signal.name !== '$child', 'the end of a child is heard');
      await world.during(engine.stop());
    }),
    { numRuns: 120 },
  );
});
