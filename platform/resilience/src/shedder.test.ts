import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@souk/kernel';
import fc from 'fast-check';
import { CRITICALITIES } from './priority.ts';
import { resolveShed, type ShedOptions } from './shed-options.ts';
import { createShedder, type Shedder } from './shedder.ts';

const shedder = (options: ShedOptions = {}): Shedder =>
  createShedder(resolveShed(options), { random: seededRandom(1) });

/** One second of so many calls of each class, of users 0, 1, 2 and so on. @returns by class, which users were let in */
function second(one: Shedder, at: number, counts: readonly number[], refusedByGate = 0): Set<number>[] {
  const served = counts.map((count, rank) => {
    const users = new Set<number>();
    for (let user = 0; user < count; user++)
      if (one.admit(rank, user, at * 1000 + (user * 1000) / count) === undefined) users.add(user);
    return users;
  });
  for (let n = 0; n < refusedByGate; n++) one.refusedByGate(at * 1000 + 999);
  return served;
}

const share = (one: Shedder): number => one.view().share;

test('without overload nothing is refused', () => {
  const one = shedder();
  for (let at = 0; at < 10; at++) {
    const served = second(one, at, [100, 100, 100, 100, 100]);
    for (const users of served) assert.equal(users.size, 100);
  }
});

test('S1, S2 whatever the mix and the share: only at the border is a class served in part, and the most important never refused', () => {
  const counts = fc.array(fc.integer({ min: 50, max: 200 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(counts, fc.double({ min: 0.02, max: 1, noNaN: true }), (mix, overload) => {
      const one = shedder();
      one.setOverload(overload);
      second(one, 0, mix);
      const served = second(one, 1, mix).map((users) => users.size);
      assert.equal(served[0], mix[0]);
      let isBelowBorder = false;
      for (const rank of CRITICALITIES.keys()) {
        if (isBelowBorder) assert.equal(served[rank], 0, `${served} of ${mix}`);
        if ((served[rank] ?? 0) < (mix[rank] ?? 0)) isBelowBorder = true;
      }
    }),
    { numRuns: 100 },
  );
});

test('S1 the share that is refused is the share that was asked for', () => {
  const one = shedder();
  one.setOverload(0.35);
  const mix = [100, 200, 300, 200, 200];
  second(one, 0, mix);
  const served = second(one, 1, mix).map((users) => users.size);
  assert.deepEqual(served.slice(0, 3), [100, 200, 300]);
  assert.equal(served[4], 0);
  assert.ok(Math.abs((served[3] ?? 0) - 50) < 5, `${served}`);
});

test('S3 the same users are refused in every second of the same share, and a larger share refuses them too', () => {
  const one = shedder();
  const mix = [0, 0, 0, 0, 500];
  one.setOverload(0.3);
  second(one, 0, mix);
  const first = second(one, 1, mix)[4] ?? new Set();
  const again = second(one, 2, mix)[4] ?? new Set();
  assert.deepEqual(again, first);
  one.setOverload(0.6);
  const fewer = second(one, 3, mix)[4] ?? new Set();
  assert.ok(fewer.size > 0 && fewer.size < first.size);
  for (const user of fewer) assert.ok(first.has(user));
});

test('S4 what the queue refused is half believed in the next second, and more as it goes on', () => {
  const one = shedder();
  const shares: number[] = [];
  for (let at = 0; at < 5; at++) {
    const served = second(one, at, [0, 0, 0, 0, 1000]).reduce((sum, users) => sum + users.size, 0);
    shares.push(share(one));
    for (let n = 500; n < served; n++) one.refusedByGate(at * 1000 + 999);
  }
  assert.equal(shares[0], 0);
  assert.ok(Math.abs((shares[1] ?? 0) - 0.25) < 0.01, `${shares}`);
  assert.ok(Math.abs((shares[4] ?? 0) - 0.47) < 0.02, `${shares}`);
});

test('S4 what is let in grows by a fifth a second while slots are in use, and doubles while they are not', () => {
  for (const [inUse, growth] of [
    [20, 1.2],
    [0, 2],
  ] as const) {
    const one = shedder();
    for (let n = 0; n < inUse; n++) assert.ok(one.gate.tryEnter(2, 0));
    one.setOverload(0.8);
    second(one, 0, [10, 10, 10, 10, 10]);
    second(one, 1, [10, 10, 10, 10, 10]);
    one.setOverload(0);
    second(one, 2, [10, 10, 10, 10, 10]);
    assert.ok(Math.abs(1 - share(one) - 0.2 * growth) < 1e-9, `${share(one)}`);
  }
});

test('S4 a tenth is let in whatever the process says of itself', () => {
  const one = shedder();
  one.setOverload(1);
  second(one, 0, [0, 0, 0, 0, 1000]);
  const served = second(one, 1, [0, 0, 0, 0, 1000])[4]?.size ?? 0;
  assert.ok(served > 50 && served < 150, `${served}`);
});

test('S5 a clock that goes back does not hold on to the share, and one that jumps forgets it', () => {
  const one = shedder();
  one.setOverload(0.8);
  second(one, 1_000_000, [10, 10, 10, 10, 10]);
  one.setOverload(0);
  for (let at = 0; at < 10; at++) second(one, at, [10, 10, 10, 10, 10]);
  assert.equal(share(one), 0);
  one.setOverload(0.8);
  second(one, 10, [10, 10, 10, 10, 10]);
  one.setOverload(0);
  second(one, 1e9, [10, 10, 10, 10, 10]);
  assert.equal(share(one), 0);
});

test('refusals of a second in which nobody came mean nothing for the next', () => {
  const one = shedder();
  second(one, 0, [10, 10, 10, 10, 10]);
  one.admit(0, 1, 1000);
  second(one, 2, [0, 0, 0, 0, 0], 5);
  one.admit(0, 1, 3000);
  assert.ok(share(one) <= 0.9);
  const other = shedder();
  other.refusedByGate(0);
  other.admit(0, 1, 1000);
  assert.equal(share(other), 0);
});

test('calls without a user are refused by chance, in the same share', () => {
  const one = shedder();
  one.setOverload(0.5);
  let served = 0;
  for (let n = 0; n < 3000; n++) if (one.admit(4, undefined, n) === undefined && n >= 1000) served++;
  assert.ok(Math.abs(served / 2000 - 0.5) < 0.05, `${served}`);
});

test('the gate has as many slots as the limit found, and a queue in proportion', () => {
  const one = shedder({ limit: { initial: 10, min: 10 }, queueFactor: 2 });
  assert.equal(one.gate.limit, 10);
  for (let n = 0; n < 100; n++) one.done('failure', 5, n * 20);
  assert.equal(one.gate.limit, 10);
  one.configure(resolveShed({ limit: { min: 30 } }), 2000);
  assert.equal(one.gate.limit, 30);
});
