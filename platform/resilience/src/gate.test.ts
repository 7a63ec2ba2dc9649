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

  constructor(name: string, init: { priority?: number; deadlineMs?: number } = {}) {
    this.name = name;
    this.priority = init.priority ?? 2;
    this.deadlineMs = init.deadlineMs ?? Number.POSITIVE_INFINITY;
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

test('G5 the last that waits in an overloaded queue is held to the short wait as well', () => {
  const one = gate({ limit: 1, queueLimit: 10, order: 'adaptive' });
  fill(one, 1);
  const lone = new Guest('lone');
  one.enqueue(lone, 0);
  assert.equal(one.maxWaitMs(200), 5);
  one.release(200);
  assert.deepEqual(lone.heard, ['timeout']);
  assert.equal(one.active, 0);
});

test('G5 those who have waited too long give up their places to one that comes, also when the queue is not full', () => {
  for (const queueLimit of [2, 10]) {
    const one = gate({ limit: 1, queueLimit, order: 'adaptive' });
    fill(one, 1);
    const stale = ['a', 'b'].map((name) => new Guest(name));
    for (const guest of stale) one.enqueue(guest, 0);
    const fresh = new Guest('fresh');
    assert.equal(one.enqueue(fresh, 500), undefined);
    assert.deepEqual(
      stale.flatMap(({ heard }) => heard),
      ['timeout', 'timeout'],
    );
    assert.deepEqual([one.queued, fresh.heard], [1, []]);
  }
});

test('G1 a slot that nobody has cannot be given back: it is counted, and no more are let in than before', () => {
  const one = gate({ limit: 1 });
  fill(one, 1);
  one.release(0);
  one.release(0);
  one.release(0);
  assert.equal(one.tryEnter(2, 0), true);
  assert.equal(one.tryEnter(2, 0), false);
  assert.equal(one.view(0).doubleReleases, 2);
});

test('G6 work that goes on keeps its slot; a zombie that ends twice is counted, and never less than none', () => {
  const one = gate({ limit: 1 });
  fill(one, 1);
  one.markZombie();
  assert.deepEqual([one.zombies, one.active, one.tryEnter(0, 0)], [1, 1, false]);
  one.zombieDone();
  one.zombieDone();
  assert.deepEqual([one.zombies, one.active, one.view(0).doubleReleases], [0, 1, 1]);
});

test('G2 one that comes while those it drops give slots back does not wait beside a free slot', () => {
  const one = gate({ limit: 1, queueLimit: 1 });
  fill(one, 1);
  const gone = new Guest('gone', { deadlineMs: 10 });
  gone.refuse = () => one.release(20);
  one.enqueue(gone, 0);
  const fresh = new Guest('fresh');
  assert.equal(one.enqueue(fresh, 20), undefined);
  assert.deepEqual([one.active, one.queued, fresh.heard], [1, 0, ['admit']]);
});

test('G2 one that asks while a slot is handed out does not overtake those who wait', () => {
  const one = gate({ limit: 1, queueLimit: 5 });
  fill(one, 1);
  const [first, second] = [new Guest('first'), new Guest('second')];
  let entered: boolean | undefined;
  first.admit = () => {
    entered = one.tryEnter(0, 0);
  };
  one.enqueue(first, 0);
  one.enqueue(second, 0);
  one.setLimit(3, 0);
  assert.deepEqual([entered, second.heard, one.active], [false, ['admit'], 3]);
});

test('G3 one that is let in by those it pushes out hears it once, and its place is taken before', () => {
  const one = gate({ limit: 1, queueLimit: 1 });
  fill(one, 1);
  const page = new Guest('page', { priority: 4 });
  page.refuse = () => one.release(0);
  one.enqueue(page, 0);
  const checkout = new Guest('checkout', { priority: 1 });
  assert.equal(one.enqueue(checkout, 0), undefined);
  assert.deepEqual([checkout.heard, one.active, one.queued], [['admit'], 1, 0]);
});

test('G1, G3 guests who do in answer whatever they like, to the same gate, leave it as it should be', () => {
  const answers = fc.constantFrom('nothing', 'release', 'enter', 'enqueue', 'leave', 'raise', 'lower');
  const shape = fc.record({
    limit: fc.integer({ min: 1, max: 3 }),
    queueLimit: fc.integer({ min: 1, max: 4 }),
    order: fc.constantFrom('fifo', 'lifo', 'adaptive' as const),
    queueTimeoutMs: fc.constantFrom(50, Number.POSITIVE_INFINITY),
  });
  const step = fc.record({
    by: fc.nat(60),
    priority: fc.nat(4),
    forMs: fc.integer({ min: 1, max: 300 }),
    reply: answers,
  });
  fc.assert(
    fc.property(shape, fc.array(step, { maxLength: 60, size: 'max' }), (options, steps) => {
      const one = gate(options);
      const guests: Guest[] = [];
      let [nowMs, held, lowered] = [0, 0, false];
      const release = (): void => {
        if (held === 0) return;
        held--;
        one.release(nowMs);
      };
      const come = (priority: number, forMs: number, reply: string): void => {
        if (one.tryEnter(priority, nowMs)) {
          held++;
          return;
        }
        const guest = new Guest('g', { priority, deadlineMs: nowMs + forMs });
        const answer = (): void => {
          if (reply === 'release') release();
          else if (reply === 'enter' && one.tryEnter(0, nowMs)) held++;
          else if (reply === 'enqueue') come(1, 40, 'nothing');
          else if (reply === 'leave') for (const other of guests) one.leave(other, nowMs);
          else if (reply === 'raise') one.setLimit(one.limit + 1, nowMs);
          else if (reply === 'lower') {
            lowered = true;
            one.setLimit(1, nowMs);
          }
        };
        guest.admit = () => {
          guest.heard.push('admit');
          held++;
          assert.ok(guest.deadlineMs > nowMs);
          answer();
        };
        guest.refuse = (why) => {
          guest.heard.push(why);
          answer();
        };
        guests.push(guest);
        if (one.enqueue(guest, nowMs) !== undefined) assert.deepEqual(guest.heard, []);
      };
      for (const { by, priority, forMs, reply } of steps) {
        nowMs += by;
        if (by % 3 === 0) release();
        else come(priority, forMs, reply);
        assert.equal(one.active, held);
        if (!lowered) assert.ok(one.active <= one.limit);
        assert.ok(one.queued <= options.queueLimit);
        assert.ok(one.queued === 0 || one.active >= one.limit, 'nobody waits beside a free slot');
        assert.equal(one.view(nowMs).doubleReleases, 0);
      }
      assert.ok(guests.every(({ heard }) => heard.length <= 1));
    }),
    { numRuns: 200 },
  );
});

test('a clock that goes back ends no wait early and makes none last longer', () => {
  const one = gate({ limit: 1, queueLimit: 5, order: 'adaptive', queueTimeoutMs: 1000, overloadAfterMs: 100 });
  const hourMs = 3_600_000;
  one.tryEnter(2, hourMs);
  const early = new Guest('early');
  one.enqueue(early, hourMs);
  assert.equal(one.view(hourMs + 60).overloaded, false);
  one.enqueue(new Guest('other'), hourMs + 60);
  one.enqueue(new Guest('after the jump'), 0);
  assert.equal(one.view(39).overloaded, false);
  assert.equal(one.view(40).overloaded, true);
  one.enqueue(new Guest('fresh'), 50);
  assert.deepEqual([early.heard, one.queued], [['timeout'], 1]);
});

test('a limit that is no number is 1, not none', () => {
  const one = gate({ limit: 3 });
  one.setLimit(Number.NaN, 0);
  fill(one, 1);
  assert.equal(one.tryEnter(2, 0), false);
});

test('an order that there is not is refused by name', () => {
  const order = 'lifoo' as 'lifo';
  assert.throws(() => resolveGate({ limit: 1, order }), {
    message: /bulkhead.order: want one of fifo, lifo, adaptive, got lifoo/,
  });
});
