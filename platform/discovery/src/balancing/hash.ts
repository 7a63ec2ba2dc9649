// 32-bit hashes. Every process must come to the same result, or a key would go elsewhere from another caller: never change them.

const PRIME = 0x01000193;
const BASIS = 0x811c9dc5;

/** Spreads every bit over all others (the finaliser of MurmurHash3). */
export const mix = (value: number): number => {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** FNV-1a over the UTF-16 units. Two texts one after the other hash like the text that they make. Not spread: end with {@link mix}. */
export const accumulate = (text: string, from: number = BASIS): number => {
  let h = from;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), PRIME);
  return h;
};

export const hashOf = (text: string): number => mix(accumulate(text));

/** Of a key and a node together, from the hash of each. */
export const pairHash = (one: number, other: number): number => mix(Math.imul(one, 0x9e3779b1) ^ other);
