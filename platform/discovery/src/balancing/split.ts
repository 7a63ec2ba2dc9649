import { accumulate, mix } from './hash.ts';
import type { SplitSettings } from './settings.ts';

export const BUCKETS = 10_000;

/** Which version a call gets. */
export interface Split {
  /** @param random From 0 to 1: in place of a key. @returns undefined for the stable one */
  canaryOf(key: string | undefined, random: () => number): string | undefined;
}

/**
 * Bucket of a key in an experiment, from 0 to 9999. It depends on nothing else: who is among the first 5 % is among the first 10 %.
 */
export const bucketOf = (experiment: string, key: string): number =>
  mix(accumulate(key, accumulate(`${experiment}:`))) % BUCKETS;

export function createSplit({ experiment, canaries }: SplitSettings): Split {
  const prefix = accumulate(`${experiment}:`);
  let sum = 0;
  const edges = canaries.map(({ version, percent }) => {
    sum += Math.round(percent * 100);
    return { version, below: sum };
  });
  return {
    canaryOf: (key, random) => {
      if (edges.length === 0) return undefined;
      const bucket = key === undefined ? random() * BUCKETS : mix(accumulate(key, prefix)) % BUCKETS;
      for (const { version, below } of edges) if (bucket < below) return version;
      return undefined;
    },
  };
}
