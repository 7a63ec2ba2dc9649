import type { Algorithm } from './algorithm.ts';
import type { Member } from './member.ts';
import type { SlowStartSettings } from './settings.ts';
import { isSlow, weightNow } from './slow-start.ts';

/** How a member takes part where keys stick: not at all, with new work, or only for keys that are its own. */
export const ABSENT = 0;
export const TAKES = 1;
export const KEEPS = 2;

/** Milliseconds between two looks at weights that grow. */
const REWEIGH_MS = 100;

/** Instances that a call may go to, and the algorithm that chooses one. */
export interface Pool {
  readonly algorithm: Algorithm;
  /** Who takes new work. None has weight 0. */
  takers: readonly Member[];
  /** Of each taker, with slow start. */
  weights: Float64Array;
  /** Of weights up to and including each taker. */
  sums: Float64Array;
  /** Whether all weights are the same. */
  even: boolean;
  /** For hash algorithms: everybody who is there, in the order of ids, so that nobody moves when one is ejected for a while. */
  known: readonly Member[];
  /** Of each known one: {@link ABSENT}, {@link TAKES} or {@link KEEPS}. */
  roles: Uint8Array;
  /** Of each known one, with slow start. */
  knownWeights: Float64Array;
  knownEven: boolean;
  /** Of the id of each known one. */
  knownHashes: Uint32Array;
  /** Calls in flight on the takers. */
  inFlight: number;
  /** When weights are to be looked at again. */
  reweighAtMs: number;
}

export const createPool = (algorithm: Algorithm): Pool => ({
  algorithm,
  takers: [],
  weights: new Float64Array(0),
  sums: new Float64Array(0),
  even: true,
  known: [],
  roles: new Uint8Array(0),
  knownWeights: new Float64Array(0),
  knownEven: true,
  knownHashes: new Uint32Array(0),
  inFlight: 0,
  reweighAtMs: Number.POSITIVE_INFINITY,
});

/** Gives a pool other members. */
export function fillPool(
  pool: Pool,
  takers: readonly Member[],
  known: readonly Member[],
  roles: Uint8Array,
  slowStart: SlowStartSettings,
  nowMs: number,
): void {
  pool.takers = takers;
  pool.known = known;
  pool.roles = roles;
  pool.weights = new Float64Array(takers.length);
  pool.sums = new Float64Array(takers.length);
  pool.knownWeights = new Float64Array(known.length);
  pool.knownHashes = Uint32Array.from(known, ({ hash }) => hash);
  pool.inFlight = 0;
  for (const member of takers) {
    pool.inFlight += member.inFlight;
    member.pools.push(pool);
  }
  reweigh(pool, slowStart, nowMs);
  pool.algorithm.change(pool);
}

/** Weights as they are now. */
export function reweigh(pool: Pool, slowStart: SlowStartSettings, nowMs: number): void {
  const { takers, weights, sums, known, knownWeights } = pool;
  let sum = 0;
  let slow = false;
  for (let i = 0; i < takers.length; i++) {
    const member = takers[i] as Member;
    const weight = weightNow(member, slowStart, nowMs);
    slow ||= isSlow(member, slowStart, nowMs);
    weights[i] = weight;
    sum += weight;
    sums[i] = sum;
  }
  for (let i = 0; i < known.length; i++) knownWeights[i] = weightNow(known[i] as Member, slowStart, nowMs);
  pool.even = isEven(weights);
  pool.knownEven = isEven(knownWeights);
  pool.reweighAtMs = slow ? nowMs + REWEIGH_MS : Number.POSITIVE_INFINITY;
}

function isEven(weights: Float64Array): boolean {
  for (let i = 1; i < weights.length; i++) if (weights[i] !== weights[0]) return false;
  return true;
}

/** Draws an index in proportion to weight. @param random From 0 to 1. */
export function drawIndex(pool: Pool, random: number): number {
  const { sums, even } = pool;
  const last = sums.length - 1;
  if (even) return Math.min(last, Math.floor(random * sums.length));
  const upTo = random * (sums[last] as number);
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sums[middle] as number) > upTo) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** An index other than `first`, as good as drawn in proportion to weight. There are at least two. */
export function drawOther(pool: Pool, first: number, next: () => number): number {
  const count = pool.takers.length;
  if (pool.even) {
    const other = Math.floor(next() * (count - 1));
    return other < first ? other : other + 1;
  }
  // One may have nearly all the weight: drawing until it is another could take long.
  for (let tries = 0; tries < 4; tries++) {
    const other = drawIndex(pool, next());
    if (other !== first) return other;
  }
  const other = Math.floor(next() * (count - 1));
  return other < first ? other : other + 1;
}
