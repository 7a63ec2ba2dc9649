import { admits, type Draw } from './algorithm.ts';
import type { Member } from './member.ts';
import { drawIndex, drawOther, type Pool } from './pool.ts';

/** The lower the better. @param rival With whom the member is compared, if with one. */
export type Score = (member: Member, weight: number, draw: Draw, rival?: Member) => number;

/** In so many milliseconds without an answer half of what is known of a latency is forgotten, so that a slow instance is tried again. */
const HALF_MS = 1000;
/** Latencies that are apart by less are taken for chance. */
const CLEARLY = 2;

const forgotten = (member: Member, nowMs: number): number => 1 + Math.max(0, nowMs - member.costAtMs) / HALF_MS;

/** Takes up a latency. @param kept Part that the old ones have in the average right after one of them. */
export function learn(member: Member, ms: number, kept: number, nowMs: number): void {
  const old = member.expectedMs === 0 ? 0 : kept / forgotten(member, nowMs);
  member.expectedMs = member.expectedMs * old + ms * (1 - old);
}

/** What a call there may be expected to take, in milliseconds. */
export const expected = (member: Member, nowMs: number): number => member.expectedMs / forgotten(member, nowMs);

/** @param oneMs What calls may be expected to take. */
export const clearlySlower = (oneMs: number, otherMs: number): boolean => oneMs > CLEARLY * otherMs;

/**
 * The better of two that are drawn by weight; of equals the first. Nobody gets more than twice its share of the draws, and a crowd of callers
 * with the same old picture does not run to the same instance. When neither of the two is admitted, the best of all that are.
 */
export function betterOfTwo(pool: Pool, draw: Draw, score: Score, next: () => number): Member | undefined {
  const { takers, weights } = pool;
  if (takers.length <= 1) return takers.length === 1 && admits(draw, takers[0] as Member) ? takers[0] : undefined;
  const one = drawIndex(pool, next());
  const other = drawOther(pool, one, next);
  const first = takers[one] as Member;
  const second = takers[other] as Member;
  const firstAdmitted = admits(draw, first);
  if (!admits(draw, second)) return firstAdmitted ? first : bestOfAll(pool, draw, score, one);
  if (!firstAdmitted) return second;
  const its = score(first, weights[one] as number, draw, second);
  return score(second, weights[other] as number, draw, first) < its ? second : first;
}

/** @param from Index where the search begins: of equals the first that is met wins. */
function bestOfAll(pool: Pool, draw: Draw, score: Score, from: number): Member | undefined {
  const { takers, weights } = pool;
  let best: Member | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (let i = 0; i < takers.length; i++) {
    const at = (from + i) % takers.length;
    const member = takers[at] as Member;
    if (!admits(draw, member)) continue;
    const its = score(member, weights[at] as number, draw);
    if (best !== undefined && its >= bestScore) continue;
    best = member;
    bestScore = its;
  }
  return best;
}
