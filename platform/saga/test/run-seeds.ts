import assert from 'node:assert/strict';
import process from 'node:process';
import { type Life, live } from './simulation.ts';

export interface Seeds {
  readonly lives: number;
  readonly ends: ReadonlyMap<string, number>;
}

/**
 * Runs seeds `from` to `to`. `SOUK_SEED=<seed>` in the environment runs that one alone, exactly as it was.
 *
 * @throws AssertionError naming the seeds that broke something, and what
 */
export async function runSeeds(from: number, to: number): Promise<Seeds> {
  const only = process.env.SOUK_SEED;
  const seeds = only === undefined ? range(from, to) : [Number(only)];
  const ends = new Map<string, number>();
  const failures: string[] = [];
  for (const seed of seeds) {
    try {
      for (const end of (await live(seed)).ends) ends.set(end, (ends.get(end) ?? 0) + 1);
    } catch (thrown) {
      failures.push(`SOUK_SEED=${seed}: ${(thrown as Error).message}`);
      if (failures.length === 10) break;
    }
  }
  assert.equal(failures.length, 0, failures.join('\n'));
  return { lives: seeds.length, ends };
}

/** @returns the first seed from 1 that breaks something, and what; undefined when none does */
export async function firstBroken(upTo: number): Promise<{ readonly seed: number; readonly what: string } | undefined> {
  for (let seed = 1; seed <= upTo; seed++) {
    try {
      await live(seed);
    } catch (thrown) {
      return { seed, what: (thrown as Error).message.split('\n')[0] ?? '' };
    }
  }
  return undefined;
}

export const twice = async (seed: number): Promise<readonly [Life, Life]> => [await live(seed), await live(seed)];

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_one, index) => from + index);
