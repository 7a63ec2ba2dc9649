import type { Random } from '@souk/kernel';
import { type Algorithm, admits } from './algorithm.ts';
import type { Member } from './member.ts';
import { drawIndex } from './pool.ts';

/** By weight, without memory: no two callers fall into step, and nothing is evened out. */
export const createRandom = (random: Random): Algorithm => ({
  change: () => {},
  pick: (pool, draw) => {
    const { takers, weights } = pool;
    if (takers.length === 0) return undefined;
    const first = takers[drawIndex(pool, random.next())] as Member;
    if (admits(draw, first)) return first;
    // The same draw, among those that are left.
    let left = 0;
    for (let i = 0; i < takers.length; i++) if (admits(draw, takers[i] as Member)) left += weights[i] as number;
    let upTo = random.next() * left;
    let last: Member | undefined;
    for (let i = 0; i < takers.length; i++) {
      const member = takers[i] as Member;
      if (!admits(draw, member)) continue;
      last = member;
      upTo -= weights[i] as number;
      if (upTo < 0) break;
    }
    return last;
  },
});
