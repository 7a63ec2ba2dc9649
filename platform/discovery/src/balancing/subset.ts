import type { Instance } from '../instance.ts';
import { hashOf, mix } from './hash.ts';

/** Whether the instance has all of the metadata. */
export const hasMetadata = ({ meta }: Instance, wanted: readonly (readonly [string, string])[]): boolean =>
  wanted.every(([name, value]) => meta[name] === value);

/** Number of a caller among its kind: `gateway-3` is 3. Others get a number by hash, which spreads them less evenly. */
export function callerNumber(id: string): number {
  const digits = /\d{1,9}$/.exec(id)?.[0];
  return digits === undefined ? hashOf(id) : Number(digits);
}

/**
 * Deterministic subsetting: callers are taken in rounds of as many as there are subsets; in each round the list is shuffled in another way and dealt
 * out, so that every instance has one caller per round.
 *
 * @param sorted In the same order for every caller.
 */
export function subsetOf<T>(sorted: readonly T[], size: number, caller: number): readonly T[] {
  const subsets = Math.floor(sorted.length / size);
  if (size <= 0 || subsets <= 1) return sorted;
  const shuffled = shuffle(sorted, Math.floor(caller / subsets));
  const from = (caller % subsets) * size;
  return shuffled.slice(from, from + size);
}

/** Fisher and Yates, with numbers that follow from the seed: all callers of a round shuffle alike. */
function shuffle<T>(list: readonly T[], seed: number): T[] {
  const shuffled = [...list];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const at = mix(mix(seed + 1) + last) % (last + 1);
    [shuffled[last], shuffled[at]] = [shuffled[at] as T, shuffled[last] as T];
  }
  return shuffled;
}
