import { type DescEnum, ScalarType } from '@bufbuild/protobuf';
import { base64Decode } from '@bufbuild/protobuf/wire';
import type { Violation } from '@souk/kernel';
import { report } from './pointer.ts';

/** Stands for a value that broke a rule, which has been reported. */
export const NOT_DECODED = Symbol('not decoded');

export type ValueDecoder = (json: unknown, pointer: string, out: Violation[]) => unknown;

const INT32 = { from: -2_147_483_648, to: 2_147_483_647, wanted: 'must be a whole number of 32 bits' };
const UINT32 = { from: 0, to: 4_294_967_295, wanted: 'must be a whole number of 32 bits, not negative' };
const INT64 = { from: -(2n ** 63n), to: 2n ** 63n - 1n, wanted: 'must be a whole number of 64 bits, best as a string' };
const UINT64 = {
  from: 0n,
  to: 2n ** 64n - 1n,
  wanted: 'must be a whole number of 64 bits, not negative, best as a string',
};
const LARGEST_FLOAT = 3.4028234663852886e38;
const INTEGER = /^-?(0|[1-9][0-9]{0,19})$/;
const DECIMAL = /^-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/**
 * @param isKey The key of a map, which JSON always writes as a string.
 * @param longAsString The contract wants 64-bit integers as strings rather than bigints.
 */
export function compileScalarDecoder(type: ScalarType, isKey: boolean, longAsString = false): ValueDecoder {
  switch (type) {
    case ScalarType.STRING:
      return (json, pointer, out) => (typeof json === 'string' ? json : refuse(out, pointer, 'must be a string'));
    case ScalarType.BOOL:
      if (isKey)
        return (json, pointer, out) => (json === 'true' || json === 'false' ? json : refuse(out, pointer, BOOL));
      return (json, pointer, out) => (typeof json === 'boolean' ? json : refuse(out, pointer, BOOL));
    case ScalarType.BYTES:
      return decodeBytes;
    case ScalarType.DOUBLE:
      return floatDecoder(Number.MAX_VALUE);
    case ScalarType.FLOAT:
      return floatDecoder(LARGEST_FLOAT);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return smallDecoder(INT32);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return smallDecoder(UINT32);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return bigDecoder(UINT64, longAsString);
    default:
      return bigDecoder(INT64, longAsString);
  }
}

/** Takes names, and numbers as protobuf does; whether a number is known is for the validator to say. */
export function enumDecoder(desc: DescEnum): ValueDecoder {
  if (desc.typeName === 'google.protobuf.NullValue') return () => 0;
  const numbers = new Map(desc.values.map((value) => [value.name, value.number]));
  const wanted = `must be one of ${desc.values.map((value) => value.name).join(', ')}`;
  return (json, pointer, out) => {
    const number = typeof json === 'string' ? numbers.get(json) : json;
    return isWhole(number, INT32) ? number : refuse(out, pointer, wanted);
  };
}

const BOOL = 'must be true or false';

function refuse(out: Violation[], pointer: string, wanted: string): typeof NOT_DECODED {
  report(out, pointer, wanted);
  return NOT_DECODED;
}

const isWhole = (value: unknown, range: { from: number; to: number }): value is number =>
  Number.isInteger(value) && (value as number) >= range.from && (value as number) <= range.to;

function smallDecoder(range: typeof INT32): ValueDecoder {
  return (json, pointer, out) => {
    const number = typeof json === 'string' && INTEGER.test(json) ? Number(json) : json;
    // Minus zero becomes zero.
    return isWhole(number, range) ? number + 0 : refuse(out, pointer, range.wanted);
  };
}

function bigDecoder(range: typeof INT64, longAsString: boolean): ValueDecoder {
  return (json, pointer, out) => {
    // A number beyond 2^53 was rounded when the JSON was parsed.
    const exact = typeof json === 'string' ? INTEGER.test(json) : Number.isSafeInteger(json);
    if (!exact) return refuse(out, pointer, range.wanted);
    const big = BigInt(json as string | number);
    if (big < range.from || big > range.to) return refuse(out, pointer, range.wanted);
    return longAsString ? String(big) : big;
  };
}

function floatDecoder(largest: number): ValueDecoder {
  return (json, pointer, out) => {
    if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
    const number = typeof json === 'string' && DECIMAL.test(json) ? Number(json) : json;
    if (typeof number !== 'number' || Math.abs(number) > largest) return refuse(out, pointer, 'must be a number');
    return number;
  };
}

const decodeBytes: ValueDecoder = (json, pointer, out) => {
  const wanted = 'must be base64';
  if (typeof json !== 'string' || !BASE64.test(json)) return refuse(out, pointer, wanted);
  try {
    return base64Decode(json);
  } catch {
    return refuse(out, pointer, wanted);
  }
};
