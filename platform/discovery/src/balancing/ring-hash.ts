import type { Random } from '@souk/kernel';
import type { Algorithm } from './algorithm.ts';
import { mayTake } from './bounded-load.ts';
import { drawHash, highest } from './rendezvous.ts';
import { EMPTY_RING, ringOf } from './ring-table.ts';
import type { BoundedLoadSettings, RingHashSettings } from './settings.ts';
import { createTableGuard } from './table-guard.ts';

/** Points that are passed by, before the next is looked for among the members themselves. */
const MOST_STEPS = 256;

/** Points of every instance on a ring; a key goes to the owner of the first point from its place on. A pick costs a binary search. */
export function createRingHash(random: Random, settings: RingHashSettings, { factor }: BoundedLoadSettings): Algorithm {
  const changed = createTableGuard();
  let ring = EMPTY_RING;
  let ids: readonly string[] = [];

  const firstFrom = (hash: number): number => {
    const { places } = ring;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((places[middle] as number) < hash) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    change: ({ known }) => {
      if (!changed(known)) return;
      ring = ringOf(known, settings, ring, ids);
      ids = known.map(({ instance }) => instance.id);
    },
    pick: (pool, draw) => {
      const hash = draw.keyHash ?? drawHash(random);
      const { owners } = ring;
      const from = firstFrom(hash);
      const steps = Math.min(MOST_STEPS, owners.length);
      for (let step = 0; step < steps; step++) {
        const owner = owners[(from + step) % owners.length] as number;
        if (mayTake(pool, owner, draw, factor)) return pool.known[owner];
      }
      return highest(pool, draw, hash, factor);
    },
  };
}
