import { randomFillSync } from 'node:crypto';
import type { Random } from './random.ts';

/** Bytes fetched from the system at a time: a call to the system per id would cost more than the id. */
const POOL_BYTES = 8192;

/** Randomness of the operating system, fit for secrets. */
export function systemRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    next: () => Math.random(),
    bytes: (count) => {
      if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count));
      if (used + count > POOL_BYTES) {
        randomFillSync(pool);
        used = 0;
      }
      const bytes = pool.slice(used, used + count);
      pool.fill(0, used, used + count);
      used += count;
      return bytes;
    },
  };
}
