import { admits, type Draw } from './algorithm.ts';
import type { Member } from './member.ts';
import { KEEPS, type Pool, TAKES } from './pool.ts';

/** Calls in flight at which an instance is passed by: ceil(factor * (total + 1) * weight / sum of weights). */
export const loadBound = (factor: number, total: number, weight: number, sum: number): number =>
  Math.ceil((factor * (total + 1) * weight) / sum);

/**
 * Whether a call with a key may go to the known member at `index`.
 *
 * @param factor 0: no bound. Who keeps its keys while it drains has none either: it is not counted any more.
 */
export function mayTake(pool: Pool, index: number, draw: Draw, factor: number): boolean {
  const role = pool.roles[index];
  const member = pool.known[index] as Member;
  if (role === KEEPS) return draw.keyHash !== undefined && admits(draw, member);
  if (role !== TAKES || !admits(draw, member)) return false;
  if (factor === 0 || member.inFlight === 0) return true;
  const sum = pool.sums[pool.sums.length - 1] as number;
  return member.inFlight < loadBound(factor, pool.inFlight, pool.knownWeights[index] as number, sum);
}
