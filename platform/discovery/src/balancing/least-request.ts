import type { Random } from '@souk/kernel';
import { type Algorithm, admits, type Draw } from './algorithm.ts';
import { betterOfTwo } from './choices.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';
import type { LeastRequestSettings } from './settings.ts';

/**
 * The fewest calls in flight per weight. With equal weights up to `fullScanUpTo` instances are all compared, and one of the equals is drawn; else
 * two that are drawn by weight are, and of equals the first wins. So a caller with nothing in flight spreads its calls exactly by weight:
 * comparing (active + 1) / weight, which orders equal weights alike, would send them nearly all to the heaviest.
 */
export function createLeastRequest(random: Random, { fullScanUpTo }: LeastRequestSettings): Algorithm {
  const next = () => random.next();
  const score = (member: Member, weight: number): number => member.inFlight / weight;
  return {
    change: () => {},
    pick: (pool, draw) =>
      pool.even && pool.takers.length <= fullScanUpTo ? fewest(pool, draw, next) : betterOfTwo(pool, draw, score, next),
  };
}

/** Any one of those with the fewest calls, each as likely as the others. */
function fewest({ takers }: Pool, draw: Draw, next: () => number): Member | undefined {
  let least = Number.POSITIVE_INFINITY;
  let equals = 0;
  for (let i = 0; i < takers.length; i++) {
    const member = takers[i] as Member;
    if (member.inFlight > least || !admits(draw, member)) continue;
    equals = member.inFlight === least ? equals + 1 : 1;
    least = member.inFlight;
  }
  if (equals === 0) return undefined;
  let left = equals === 1 ? 0 : Math.floor(next() * equals);
  for (let i = 0; i < takers.length; i++) {
    const member = takers[i] as Member;
    if (member.inFlight !== least || !admits(draw, member)) continue;
    if (left === 0) return member;
    left -= 1;
  }
  return undefined;
}
