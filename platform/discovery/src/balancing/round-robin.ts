import type { Random } from '@souk/kernel';
import { type Algorithm, admits, type Draw } from './algorithm.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';

/**
 * Earliest deadline first: every instance has a deadline, the earliest is picked, and its next one is 1/weight later. The first deadlines are
 * drawn from [0, 1/weight), so that many callers do not march in step.
 */
export function createRoundRobin(random: Random): Algorithm {
  /** Indexes of takers, the one with the earliest deadline first. */
  let heap = new Uint32Array(0);
  let deadlines = new Float64Array(0);
  let members: readonly Member[] = [];
  /** Latest deadline that was picked. Who has been held up starts here again, rather than get all at once what it missed. */
  let nowAt = 0;

  const earlier = (one: number, other: number): boolean =>
    (deadlines[one] as number) < (deadlines[other] as number) ||
    ((deadlines[one] as number) === (deadlines[other] as number) && one < other);

  const sink = (from: number): void => {
    let at = from;
    const moved = heap[at] as number;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as number, heap[child] as number)) child += 1;
      if (!earlier(heap[child] as number, moved)) break;
      heap[at] = heap[child] as number;
      at = child;
    }
    heap[at] = moved;
  };

  const firstAdmitted = (pool: Pool, draw: Draw): number => {
    if (heap.length > 0 && admits(draw, pool.takers[heap[0] as number] as Member)) return 0;
    let best = -1;
    for (let at = 0; at < heap.length; at++) {
      if (!admits(draw, pool.takers[heap[at] as number] as Member)) continue;
      if (best === -1 || earlier(heap[at] as number, heap[best] as number)) best = at;
    }
    return best;
  };

  return {
    change: (pool) => {
      const kept = new Map(members.map((member, index) => [member, deadlines[index] as number]));
      members = pool.takers;
      heap = Uint32Array.from(members, (_, index) => index);
      deadlines = Float64Array.from(
        members,
        (member, index) => kept.get(member) ?? nowAt + random.next() / (pool.weights[index] as number),
      );
      for (let at = (heap.length >>> 1) - 1; at >= 0; at--) sink(at);
    },
    pick: (pool, draw) => {
      const at = firstAdmitted(pool, draw);
      if (at === -1) return undefined;
      const index = heap[at] as number;
      nowAt = Math.max(nowAt, deadlines[index] as number);
      deadlines[index] = nowAt + 1 / (pool.weights[index] as number);
      sink(at);
      return pool.takers[index];
    },
  };
}
