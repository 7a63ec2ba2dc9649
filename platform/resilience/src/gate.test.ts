import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createGate, type Gate, type GateOptions, type GateRefusal, resolveGate, type Waiter } from './index.ts';

class Guest implements Waiter {
  gateNext: Waiter | undefined = undefined;
  gatePrevious: Waiter | undefined = undefined;
  readonly heard: string[] = [];
  readonly name: string;
  readonly priority: number;
  readonly deadlineMs: number;
  readonly enqueuedMs: number;

  constructor(name: string, init: { priority?: number; deadlineMs?: number; enqueuedMs?: number } = {}) {
    this.name = name;
    this.priority = init.priority ?? 2;
    this.deadlineMs = init.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.enqueuedMs = init.enqueuedMs ?? 0;
  }

  admit(): void {
    this.heard.push('admit');
  }

  refuse(why: GateRefusal): void {
    this.heard.push(why);
  }
}

const gate = (options: GateOptions): Gate => createGate(resolveGate(options));
const fill = (one: Gate, count: number): void => {
  for (let n = 0; n < count; n++) assert.ok(one.tryEnter(2, 0));
};

test('without a queue what finds no slot is refused', () => {
  const one = gate({ limit: 2 });
  fill(one, 2);
  assert.equal(one.tryEnter(0, 0), false);
  assert.equal(one.enqueue(new Guest('a'), 0), 'limit');
});

test('G2 a slot that is given back is taken by the one that waits before anybody else can ask', () => {
  const one = gate({ limit: 1, queueLimit: 5 });
  fill(one, 1);
  const waiting = new Guest('waiting');
  one.enqueue(waiting, 0);
  one.release(0);
  assert.deepEqual(waiting.heard, ['admit']);
  assert.equal(one.active, 1);
  assert.equal(one.tryEnter(0, 0), false);
});

test('G4 the more important goes first, and pushes the least important out of a full queue; equals keep their place', () => {
  const one = gate({ limit: 1, queueLimit: 2 });
  fill(one, 1);
  const [report, page, other, checkout] = [4, 3, 3, 1].map((priority) => new Guest(`${priority}`, { priority })) as [
    Guest,
    Guest,
    Guest,
    Guest,
  ];
  assert.equal(one.enqueue(report, 0), undefined);
  assert.equal(one.enqueue(page, 0), undefined);
  assert.equal(one.enqueue(other, 0), undefined);
  assert.deepEqual(report.heard, ['queue']);
  assert.equal(one.enqueue(new Guest('equal', { priority: 3 }), 0), 'queue');
  assert.equal(one.enqueue(checkout, 0), undefined);
  assert.deepEqual(other.heard, ['queue'], 'the latest of the least important');
  one.release(0);
  assert.deepEqual([checkout.heard, page.heard], [['admit'], []]);
});

test('G5 who has no time left is not admitted, and makes room', () => {
  const one = gate({ limit: 1, queueLimit: 1 });
  fill(one, 1);
  const hasty = new Guest('hasty', { deadlineMs: 100 });
  one.enqueue(hasty, 0);
  const patient = new Guest('patient');
  assert.equal(one.enqueue(patient, 100), undefined);
  assert.deepEqual(hasty.heard, ['deadline']);
  one.release(100);
  assert.deepEqual(patient.heard, ['admit']);
  assert.equal(one.enqueue(new Guest('too late', { deadlineMs: 50 }), 100), 'deadline');
});

test('the latest goes first where it was asked for, and in an adaptive queue that has not been empty for long', () => {
  const names = (order: 'fifo' | 'lifo' | 'adaptive', atMs: number): string[] => {
    const one = gate({ limit: 1, queueLimit: 10, order, overloadWaitMs: 10_000 });
    fill(one, 1);
    const guests = ['a', 'b', 'c'].map((name) => new Guest(name));
    for (const guest of guests) one.enqueue(guest, 0);
    const order_of: string[] = [];
    for (const guest of guests) guest.admit = () => order_of.push(guest.name);
    for (let n = 0; n < 3; n++) one.release(atMs);
    return order_of;
  };
  assert.deepEqual(names('fifo', 500), ['a', 'b', 'c']);
  assert.deepEqual(names('lifo', 0), ['c', 'b', 'a']);
  assert.deepEqual(names('adaptive', 50), ['a', 'b', 'c']);
  assert.deepEqual(names('adaptive', 100), ['c', 'b', 'a']);
});

test('an overloaded adaptive queue lets nobody wait for long', () => {
  const one = gate({ limit: 1, queueLimit: 10, order: 'adaptive', queueTimeoutMs: 100 });
  fill(one, 1);
  assert.equal(one.maxWaitMs(0), 100);
  const old = new Guest('old');
  one.enqueue(old, 0);
  assert.equal(one.maxWaitMs(200), 5);
  one.release(200);
  assert.deepEqual(old.heard, ['timeout']);
  assert.equal(one.active, 0);
});

test('a limit that rises lets in those who wait; one that falls takes nothing away', () => {
  const one = gate({ limit: 3, queueLimit: 10 });
  fill(one, 3);
  const guests = ['a', 'b'].map((name) => new Guest(name));
  for (const guest of guests) one.enqueue(guest, 0);
  one.setLimit(1, 0);
  one.release(0);
  one.release(0);
  assert.deepEqual([one.active, one.queued], [1, 2]);
  one.setLimit(4, 0);
  assert.deepEqual([one.active, one.queued], [3, 0]);
});

interface Queued {
  readonly guest: Guest;
  readonly order: number;
}

test('G1 to G6: in any order of events every guest hears once, in the order of a plain list, and slots are never lost', () => {
  const step = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        is: fc.constant('come' as const),
        priority: fc.nat(4),
        forMs: fc.integer({ min: 1, max: 400 }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ is: fc.constant('release' as const) }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('leave' as const), which: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ is: fc.constant('limit' as const), limit: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 4, arbitrary: fc.record({ is: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 150 }) }) },
  );
  const shape = fc.record({
    limit: fc.integer({ min: 1, max: 4 }),
    queueLimit: fc.nat(4),
    order: fc.constantFrom('fifo', 'lifo' as const),
  });
  fc.assert(
    fc.property(shape, fc.array(step, { maxLength: 150 }), (options, steps) => {
      const one = gate(options);
      let queue: Queued[] = [];
      let [active, limit, nowMs, order] = [0, options.limit, 0, 0];
      const heard = new Map<Guest, string>();
      const next = (): Queued | undefined => {
        const best = Math.min(...queue.map(({ guest }) => guest.priority));
        const equals = queue.filter(({ guest }) => guest.priority === best);
        return options.order === 'fifo' ? equals[0] : equals.at(-1);
      };
      const serve = (): void => {
        while (active < limit && queue.length > 0) {
          const chosen = next() as Queued;
          queue = queue.filter((other) => other !== chosen);
          if (chosen.guest.deadlineMs <= nowMs) heard.set(chosen.guest, 'deadline');
          else {
            heard.set(chosen.guest, 'admit');
            active++;
          }
        }
      };
      const guests: Guest[] = [];
      for (const now of steps) {
        if (now.is === 'wait') nowMs += now.ms;
        else if (now.is === 'limit') {
          limit = now.limit;
          one.setLimit(limit, nowMs);
          serve();
        } else if (now.is === 'release') {
          if (active === 0) continue;
          active--;
          one.release(nowMs);
          serve();
        } else if (now.is === 'leave') {
          const guest = guests[now.which % Math.max(1, guests.length)];
          if (guest === undefined) continue;
          const waits = queue.some((other) => other.guest === guest);
          assert.equal(one.leave(guest, nowMs), waits);
          queue = queue.filter((other) => other.guest !== guest);
        } else {
          if (active < limit) serve();
          const enters = active < limit && queue.length === 0;
          assert.equal(one.tryEnter(now.priority, nowMs), enters);
          if (enters) {
            active++;
            continue;
          }
          const guest = new Guest('g', { priority: now.priority, deadlineMs: nowMs + now.forMs, enqueuedMs: nowMs });
          guests.push(guest);
          let expected: GateRefusal | undefined;
          if (options.queueLimit === 0) expected = 'limit';
          else {
            if (queue.length >= options.queueLimit) {
              for (const gone of queue.filter((other) => other.guest.deadlineMs <= nowMs))
                heard.set(gone.guest, 'deadline');
              queue = queue.filter((other) => other.guest.deadlineMs > nowMs);
            }
            if (queue.length >= options.queueLimit) {
              const worst = Math.max(...queue.map((other) => other.guest.priority));
              const out =
                worst > now.priority ? queue.filter((other) => other.guest.priority === worst).at(-1) : undefined;
              if (out === undefined) expected = 'queue';
              else {
                heard.set(out.guest, 'queue');
                queue = queue.filter((other) => other !== out);
              }
            }
          }
          if (expected === undefined) queue.push({ guest, order: order++ });
          assert.equal(one.enqueue(guest, nowMs), expected);
        }
        assert.deepEqual([one.active, one.queued], [active, queue.length], JSON.stringify(now));
      }
      for (const guest of guests) assert.deepEqual(guest.heard, heard.has(guest) ? [heard.get(guest)] : []);
    }),
    { numRuns: 800 },
  );
});
