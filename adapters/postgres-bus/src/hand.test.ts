import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Entry, Hand } from './hand.ts';

const SLOTS = 3;

let made = 0n;
const entry = (lane: number, epoch = 1n, pos = ++made): Entry => ({
  pos,
  slot: lane % SLOTS,
  epoch,
  lane: `lane-${lane}`,
  envelope: {
    id: String(pos),
    source: '/souk/test',
    type: 't',
    schema: 's',
    key: `lane-${lane}`,
    time: '',
    traceparent: '',
    causationId: undefined,
    data: new Uint8Array(),
  },
  deliveries: 1,
});

test('one of a lane runs at a time, in order, and other lanes do not wait for it', () => {
  const hand = new Hand();
  const [first, second, other] = [entry(0), entry(0), entry(1)];
  for (const one of [first, second, other]) hand.add(one);
  assert.deepEqual([hand.next(), hand.next(), hand.next()], [first, other, undefined]);
  assert.equal(hand.failed(first), true);
  assert.equal(hand.next(), undefined);
  hand.retry(first);
  assert.equal(hand.next(), first);
  assert.equal(hand.handled(first), true);
  assert.equal(hand.next(), second);
});

test('what runs of a lost slot is nobody else’s business, and what comes for its lane again waits for it', () => {
  const hand = new Hand();
  const lost = entry(0, 1n, 1000n);
  hand.add(lost);
  hand.next();
  hand.dropAll(0);
  assert.deepEqual([hand.open, hand.countOf(0)], [0, 0]);
  const again = entry(0, 2n, 1000n);
  hand.add(again);
  assert.equal(hand.next(), undefined);
  assert.equal(hand.handled(lost), false);
  assert.equal(hand.next(), again);
});

test('handled entries keep their positions until they are removed', () => {
  const hand = new Hand();
  const one = entry(0);
  hand.add(one);
  hand.next();
  hand.handled(one);
  assert.deepEqual([hand.open, hand.positionsOf(0)], [0, [one.pos]]);
  hand.removed(one);
  assert.equal(hand.countOf(0), 0);
});

type Act = readonly [
  what: 'add' | 'next' | 'handled' | 'failed' | 'retry' | 'removed' | 'drop' | 'lose',
  which: number,
];

const act: fc.Arbitrary<Act> = fc.tuple(
  fc.constantFrom('add', 'add', 'next', 'next', 'handled', 'failed', 'retry', 'removed', 'drop', 'lose'),
  fc.nat(11),
);

test('whatever happens, no lane runs twice, its order holds, and counts are right', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120, size: 'max' }), (acts) => {
      const hand = new Hand();
      const running = new Set<Entry>();
      const delayed = new Set<Entry>();
      const handled = new Set<Entry>();
      /** What may still be begun, by lane; the first is next. */
      const waiting = new Map<string, Entry[]>();
      const pick = (set: Set<Entry>, which: number) => [...set][which % Math.max(1, set.size)];
      const inSlot = (slot: number) => (one: Entry) => one.slot === slot;
      const orphans = new Set<Entry>();
      for (const [what, which] of acts) {
        const slot = which % SLOTS;
        if (what === 'add') {
          const one = entry(which % 5);
          hand.add(one);
          waiting.set(one.lane, [...(waiting.get(one.lane) ?? []), one]);
        } else if (what === 'next') {
          const one = hand.next();
          if (one === undefined) continue;
          assert.ok(![...running].some(({ lane }) => lane === one.lane), 'two of a lane');
          assert.equal(waiting.get(one.lane)?.shift(), one, 'out of order');
          delayed.delete(one);
          running.add(one);
        } else if (what === 'handled' || what === 'failed') {
          const one = pick(running, which);
          if (one === undefined) continue;
          running.delete(one);
          const isOurs = !orphans.delete(one);
          assert.equal(hand[what](one), isOurs);
          if (!isOurs) continue;
          if (what === 'handled') handled.add(one);
          else {
            delayed.add(one);
            waiting.set(one.lane, [one, ...(waiting.get(one.lane) ?? [])]);
          }
        } else if (what === 'retry') {
          const one = pick(delayed, which);
          if (one !== undefined) hand.retry(one);
        } else if (what === 'removed') {
          const one = pick(handled, which);
          if (one === undefined) continue;
          hand.removed(one);
          handled.delete(one);
        } else {
          if (what === 'drop') hand.dropWaiting(slot);
          else hand.dropAll(slot);
          for (const [lane, entries] of waiting)
            waiting.set(
              lane,
              entries.filter((one) => one.slot !== slot),
            );
          for (const one of [...delayed].filter(inSlot(slot))) delayed.delete(one);
          if (what === 'lose') {
            for (const one of [...handled].filter(inSlot(slot))) handled.delete(one);
            for (const one of [...running].filter(inSlot(slot))) orphans.add(one);
          }
        }
        const waits = [...waiting.values()].flat().length;
        const ours = [...running].filter((one) => !orphans.has(one)).length;
        assert.equal(hand.open, waits + ours);
        const counted = Array.from({ length: SLOTS }, (_, one) => hand.countOf(one)).reduce((a, b) => a + b);
        assert.equal(counted, waits + ours + handled.size);
      }
      // Nothing is forgotten: all that waits comes to its turn.
      for (const one of delayed) hand.retry(one);
      for (const one of running) hand.handled(one);
      let left = [...waiting.values()].flat().length;
      for (let one = hand.next(); one !== undefined; one = hand.next()) {
        hand.handled(one);
        left--;
      }
      assert.equal(left, 0, 'entries that are never begun');
    }),
  );
});
