import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from '@souk/kernel';
import fc from 'fast-check';
import type { MemorySaga } from '../test/memory-storage.ts';
import { sagaWorld, shop } from '../test/world.ts';
import { saga } from './builder.ts';
import type { SagaDefinition } from './definition.ts';
import { fromRow } from './journal.ts';
import { decide, fold } from './machine.ts';

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
  .step('c', { kind: 'compensatable', run, undo })
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
        const done = records.flatMap((record) => (record.kind === 'STEP_DONE' ? [record.step] : []));
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
