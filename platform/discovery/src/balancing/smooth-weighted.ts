import { type Algorithm, admits, admitsAll } from './algorithm.ts';
import type { Member } from './member.ts';

/**
 * Everybody's credit grows by its weight; the largest is picked and pays the sum. Over every sum(weights) picks each has exactly its weight,
 * spread out: {5, 1, 1} gives a a b a c a a. After a failure an instance's weight is halved (to 1 at least) and comes back by 1 per success.
 */
export function createSmoothWeighted(): Algorithm {
  let members: readonly Member[] = [];
  let indexes = new Map<Member, number>();
  let credits = new Float64Array(0);
  /** Lowered by failures. Infinity: not. */
  let ceilings = new Float64Array(0);

  return {
    change: (pool) => {
      const [oldCredits, oldCeilings, oldIndexes] = [credits, ceilings, indexes];
      members = pool.takers;
      indexes = new Map(members.map((member, index) => [member, index]));
      const kept = (member: Member, from: Float64Array, otherwise: number): number =>
        from[oldIndexes.get(member) ?? -1] ?? otherwise;
      credits = Float64Array.from(members, (member) => kept(member, oldCredits, 0));
      ceilings = Float64Array.from(members, (member) => kept(member, oldCeilings, Number.POSITIVE_INFINITY));
    },
    pick: ({ takers, weights }, draw) => {
      const all = admitsAll(draw);
      let best = -1;
      let sum = 0;
      for (let i = 0; i < takers.length; i++) {
        if (!all && !admits(draw, takers[i] as Member)) continue;
        const weight = Math.min(weights[i] as number, ceilings[i] as number);
        const credit = (credits[i] as number) + weight;
        sum += weight;
        credits[i] = credit;
        if (best === -1 || credit > (credits[best] as number)) best = i;
      }
      if (best === -1) return undefined;
      credits[best] = (credits[best] as number) - sum;
      return takers[best];
    },
    settled: (member, ok) => {
      const index = indexes.get(member);
      if (index === undefined) return;
      const { weight } = member.instance;
      const ceiling = Math.min(ceilings[index] as number, weight);
      const next = ok ? ceiling + 1 : Math.max(1, ceiling / 2);
      ceilings[index] = next >= weight ? Number.POSITIVE_INFINITY : next;
    },
  };
}
