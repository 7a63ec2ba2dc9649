/** Numbers in [0, 1), the same ones for the same seed. */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws from a list whose first entry is the most popular. */
export type Draw = <T>(list: readonly T[]) => T;

export const uniform =
  (next: () => number): Draw =>
  (list) =>
    list[Math.floor(next() * list.length)] as never;

/** Zipf's law with exponent 1: the second entry is drawn half as often as the first, the third a third as often. */
export function zipf(next: () => number): Draw {
  const sums = new Map<number, Float64Array>();
  const sumsOf = (length: number): Float64Array => {
    const known = sums.get(length);
    if (known !== undefined) return known;
    let sum = 0;
    const made = Float64Array.from({ length }, (_, i) => {
      sum += 1 / (i + 1);
      return sum;
    });
    sums.set(length, made);
    return made;
  };
  return (list) => {
    const upTo = sumsOf(list.length);
    const drawn = next() * (upTo.at(-1) as number);
    let low = 0;
    let high = list.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] as number) <= drawn) low = middle + 1;
      else high = middle;
    }
    return list[low] as never;
  };
}
