import { kvErrors } from './errors.ts';

const MAX_UINT64 = 2n ** 64n - 1n;

/**
 * A number of 64 bits, which Consul's own library uses in full for the flags of locks.
 * @throws REGISTRY_KV_BAD_NUMBER
 */
export function uint64(text: string, name: string, least = 0n): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value < least || value > MAX_UINT64) throw kvErrors.BAD_NUMBER({ name, least: String(least) });
  return value;
}

/** For `JSON.stringify`: a number of any size with all of its digits. */
export const jsonNumber = (value: bigint): unknown =>
  value <= Number.MAX_SAFE_INTEGER
    ? Number(value)
    : (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
