import type { Random } from '@souk/kernel';
import { type Algorithm, admits, type Draw } from './algorithm.ts';
import { betterOfTwo, clearlySlower, expected, type Score } from './choices.ts';
import type { Member } from './member.ts';
import type { Pool } from './pool.ts';
import type { LeastRequestSettings } from './settings.ts';

/**
 * The fewest calls in flight per weight. With equal weights up to `fullScanUpTo` instances are all compared, and one of the equals is drawn; else
 * two that are drawn by weight are, and of equals the first wins. So a caller with nothing in flight spreads its calls exactly by weight:
 * comparing (active + 1) / weight, which orders equal weights alike, would send them nearly all to the heaviest.
 *
 * Who is clearly slower counts `handicap` calls more. By calls in flight alone an instance ten times slower has as many of them as the others,
 * and these are the slowest calls of all: at half load they are one in a hundred, which is just what makes a p99.
 */
export function createLeastRequest(random: Random, { fullScanUpTo, handicap }: LeastRequestSettings): Algorithm {
  const next = () => random.next();
  const score: Score = (member, weight, { nowMs }, rival) => {
    const slower = rival !== undefined && clearlySlower(expected(member, nowMs), expected(rival, nowMs));
    return (member.inFlight + (slower ? handicap : 0)) / weight;
  };
  return {
    change: () => {},
    pick: (pool, draw) =>
      pool.even && pool.takers.length <= fullScanUpTo
        ? fewest(pool, draw, handicap, next)
        : betterOfTwo(pool, draw, score, next),
  };
}

/** Any one of those with the fewest calls, each as likely as the others. */
function fewest({ takers }: Pool, draw: Draw, handicap: number, next: () => number): Member | undefined {
  let fastestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < takers.length; i++) {
    const member = takers[i] as Member;
    if (admits(draw, member)) fastestMs = Math.min(fastestMs, expected(member, draw.nowMs));
  }
  let chosen: Member | undefined;
  let least = Number.POSITIVE_INFINITY;
  let equals = 0;
  for (let i = 0; i < takers.length; i++) {
    const member = takers[i] as Member;
    if (!admits(draw, member)) continue;
    const its = member.inFlight + (clearlySlower(expected(member, draw.nowMs), fastestMs) ? handicap : 0);
    if (its > least) continue;
    equals = its === least ? equals + 1 : 1;
    least = its;
    // The n-th of equals takes the place of who was chosen with a chance of 1/n: all are as likely, after one pass.
    if (equals === 1 || next() * equals < 1) chosen = member;
  }
  return chosen;
}
