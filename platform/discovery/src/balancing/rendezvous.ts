import type { Random } from '@souk/kernel';
import type { Algorithm, Draw } from './algorithm.ts';
import { mayTake } from './bounded-load.ts';
import { pairHash } from './hash.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';
import type { BoundedLoadSettings } from './settings.ts';

export const drawHash = (random: Random): number => Math.floor(random.next() * 0x1_0000_0000);

/**
 * Highest random weight: everybody draws a number from the key and its own id, and the highest wins; with weights, the highest -w / ln(u). An
 * instance that comes or goes moves only its own keys, and no table is kept; a pick looks at everybody.
 */
export function createRendezvous(random: Random, { factor }: BoundedLoadSettings): Algorithm {
  return {
    change: () => {},
    pick: (pool, draw) => highest(pool, draw, draw.keyHash ?? drawHash(random), factor),
  };
}

/** The member with the highest score of those that may take the call. With a bound that nobody keeps, without it. */
export function highest(pool: Pool, draw: Draw, keyHash: number, factor: number): Member | undefined {
  const { known, knownWeights, knownHashes, knownEven } = pool;
  let best = -1;
  let bestScore = -1;
  for (let i = 0; i < known.length; i++) {
    const hash = pairHash(keyHash, knownHashes[i] as number);
    const score = knownEven ? hash : -(knownWeights[i] as number) / Math.log((hash + 0.5) / 0x1_0000_0000);
    if (score <= bestScore || !mayTake(pool, i, draw, factor)) continue;
    best = i;
    bestScore = score;
  }
  if (best !== -1) return known[best];
  return factor === 0 ? undefined : highest(pool, draw, keyHash, 0);
}
