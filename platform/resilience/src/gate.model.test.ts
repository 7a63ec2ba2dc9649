import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReferenceGate } from '../test/reference-gate.ts';
import { createGate, type GateOptions, resolveGate, type Waiter } from './index.ts';

const options: fc.Arbitrary<GateOptions> = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  queueLimit: fc.nat(5),
  queueTimeoutMs: fc.constantFrom(Number.POSITIVE_INFINITY, 0, 30, 120),
  order: fc.constantFrom('fifo', 'lifo', 'adaptive'),
  overloadAfterMs: fc.constantFrom(0, 40, 100),
  overloadWaitMs: fc.constantFrom(0, 5, 50),
});

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      is: fc.constant('come' as const),
      priority: fc.nat(4),
      forMs: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.constant(Number.POSITIVE_INFINITY)),
    }),
  },
  { weight: 9, arbitrary: fc.record({ is: fc.constant('release' as const) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('leave' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('limit' as const), limit: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('configure' as const), options }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('zombie' as const) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('zombie done' as const) }) },
  { weight: 8, arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('back' as const), ms: fc.integer({ min: 1, max: 100_000 }) }) },
);

test('G1 to G6 whatever happens in whatever order, clocks that go back and slots given back twice too, a gate does what a plain list does', () => {
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 150, size: 'max' }), (first, steps) => {
      const one = createGate(resolveGate(first));
      const model = new ReferenceGate(resolveGate(first));
      const guests: Waiter[] = [];
      const heard: string[][] = [];
      let nowMs = 1000;
      for (const now of steps) {
        if (now.is === 'wait') {
          nowMs += now.ms;
          model.pass(now.ms);
        } else if (now.is === 'back') {
          // Read before it is set back, and after: what nobody read has passed for nobody.
          one.setLimit(model.limit, nowMs);
          model.setLimit(model.limit, nowMs);
          nowMs -= now.ms;
          one.setLimit(model.limit, nowMs);
          model.setLimit(model.limit, nowMs);
        } else if (now.is === 'limit') {
          one.setLimit(now.limit, nowMs);
          model.setLimit(now.limit, nowMs);
        } else if (now.is === 'configure') {
          one.configure(resolveGate(now.options), nowMs);
          model.configure(resolveGate(now.options), nowMs);
        } else if (now.is === 'release') {
          one.release(nowMs);
          model.release(nowMs);
        } else if (now.is === 'zombie') {
          one.markZombie();
          model.zombies++;
        } else if (now.is === 'zombie done') {
          one.zombieDone();
          model.zombieDone();
        } else if (now.is === 'leave') {
          const id = now.which % Math.max(1, guests.length);
          const guest = guests[id];
          if (guest !== undefined) assert.equal(one.leave(guest, nowMs), model.leave(id));
        } else {
          const enters = model.tryEnter(nowMs);
          assert.equal(one.tryEnter(now.priority, nowMs), enters);
          if (enters) continue;
          const id = guests.length;
          const words: string[] = [];
          heard.push(words);
          const guest: Waiter = {
            gateNext: undefined,
            gatePrevious: undefined,
            priority: now.priority,
            deadlineMs: nowMs + now.forMs,
            admit: () => words.push('admit'),
            refuse: (why) => words.push(why),
          };
          guests.push(guest);
          const expected = model.enqueue(id, now.priority, guest.deadlineMs, nowMs);
          assert.equal(one.enqueue(guest, nowMs), expected);
        }
        assert.deepEqual(one.view(nowMs), {
          limit: model.limit,
          active: model.active,
          queued: model.queue.length,
          zombies: model.zombies,
          overloaded: model.isOverloaded,
          doubleReleases: model.doubleReleases,
        });
        assert.equal(one.maxWaitMs(nowMs), model.maxWaitMs);
      }
      for (const [id, words] of heard.entries())
        assert.deepEqual(words, model.heard.has(id) ? [model.heard.get(id)] : [], `guest ${id}`);
    }),
    { numRuns: 300 },
  );
});
