import type { Random } from './random.ts';
import type { Clock } from './time.ts';

/** Makes ids. */
export interface Ids {
  /** A UUIDv7 (RFC 9562): sorts by the time it was made, strictly increasing within one source. */
  uuid(): string;
  /** A UUIDv7 behind a readable prefix: `next('ord')` gives `ord_0198…`. */
  next(prefix: string): string;
}

const ID = /^([a-z]{2,8})_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** True when `value` is an id with this prefix. */
export const isId = (value: string, prefix: string): boolean => ID.exec(value)?.[1] === prefix;

/**
 * UUIDv7 with a 12-bit counter behind the millisecond (RFC 9562, method 1): ids made in the same millisecond still sort in the
 * order they were made, and a clock that steps back does not make them go back.
 */
export function createIds(clock: Clock, random: Random): Ids {
  let lastMs = 0;
  let counter = 0;
  const uuid = (): string => {
    const now = clock.now();
    if (now > lastMs) {
      lastMs = now;
      counter = Math.floor(random.next() * 0x400);
    } else if (++counter > 0xfff) {
      lastMs += 1;
      counter = 0;
    }
    const time = lastMs.toString(16).padStart(12, '0');
    const tail = random.bytes(8);
    tail[0] = ((tail[0] ?? 0) & 0x3f) | 0x80;
    const hex = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength).toString('hex');
    const sequence = counter.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence}-${hex.slice(0, 4)}-${hex.slice(4)}`;
  };
  return { uuid, next: (prefix) => `${prefix}_${uuid()}` };
}
