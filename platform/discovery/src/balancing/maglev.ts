import type { Random } from '@souk/kernel';
import type { Algorithm } from './algorithm.ts';
import { mayTake } from './bounded-load.ts';
import { mix } from './hash.ts';
import type { Member } from './member.ts';
import { drawHash, highest } from './rendezvous.ts';
import type { BoundedLoadSettings, MaglevSettings } from './settings.ts';
import { createTableGuard } from './table-guard.ts';

const MOST_STEPS = 256;

/**
 * A table whose entries the instances fill in turn, each in its own order. The evenest shares and the fastest pick; some keys move besides those
 * of the instance that comes or goes.
 */
export function createMaglev(
  random: Random,
  { tableSize }: MaglevSettings,
  { factor }: BoundedLoadSettings,
): Algorithm {
  let table = new Uint32Array(0);
  const changed = createTableGuard();

  return {
    change: ({ known }) => {
      if (changed(known)) table = fill(known, tableSize);
    },
    pick: (pool, draw) => {
      const hash = draw.keyHash ?? drawHash(random);
      const steps = Math.min(MOST_STEPS, table.length);
      for (let step = 0; step < steps; step++) {
        const owner = table[(hash + step) % tableSize] as number;
        if (mayTake(pool, owner, draw, factor)) return pool.known[owner];
      }
      return highest(pool, draw, hash, factor);
    },
  };
}

/** Who has the largest weight takes an entry in every round, the others in as many rounds as their part of it. */
function fill(known: readonly Member[], size: number): Uint32Array<ArrayBuffer> {
  if (known.length === 0) return new Uint32Array(0);
  const table = new Uint32Array(size);
  const taken = new Uint8Array(size);
  const heaviest = known.reduce((most, { instance }) => Math.max(most, instance.weight), 0);
  const shares = Float64Array.from(known, ({ instance }) => (heaviest === 0 ? 1 : instance.weight / heaviest));
  const places = Uint32Array.from(known, ({ hash }) => hash % size);
  const skips = Uint32Array.from(known, ({ hash }) => (mix(hash ^ 0x5bd1e995) % (size - 1)) + 1);
  const dues = new Float64Array(known.length);
  for (let filled = 0; ; ) {
    for (let i = 0; i < known.length; i++) {
      dues[i] = (dues[i] as number) + (shares[i] as number);
      if ((dues[i] as number) < 1) continue;
      dues[i] = (dues[i] as number) - 1;
      let place = places[i] as number;
      while (taken[place] === 1) place = (place + (skips[i] as number)) % size;
      taken[place] = 1;
      table[place] = i;
      places[i] = (place + (skips[i] as number)) % size;
      if (++filled === size) return table;
    }
  }
}
