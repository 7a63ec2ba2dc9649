import { kvErrors } from '../kv/errors.ts';
import { checkKey } from '../kv/key.ts';
import { uint64 } from '../kv/number.ts';

export interface Operation {
  readonly verb: string;
  readonly key: string;
  readonly value: Buffer;
  readonly flags: bigint;
  readonly index: bigint;
  readonly session: string;
}

const MAX_OPERATIONS = 64;
const MAX_VALUE_BYTES = 512 * 1_024;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Reads the body of a transaction: `[{"KV": {"Verb", "Key", "Value", "Flags", "Index", "Session"}}]`, names in any case.
 * @throws REGISTRY_KV_BAD_TXN, REGISTRY_KV_TOO_MANY_OPERATIONS, REGISTRY_KV_VALUE_TOO_LARGE, REGISTRY_KV_BAD_KEY, REGISTRY_KV_BAD_NUMBER
 */
export function parseOperations(body: Buffer): Operation[] {
  const operations = parseExactly(body);
  if (!Array.isArray(operations)) throw bad('want a list of operations');
  if (operations.length > MAX_OPERATIONS)
    throw kvErrors.TOO_MANY_OPERATIONS({ count: operations.length, max: MAX_OPERATIONS });
  return operations.map((operation, index) => {
    const fields = fieldsOf(fieldsOf(operation, index).get('kv'), index);
    const text = (name: string): string => {
      const value = fields.get(name) ?? '';
      if (typeof value !== 'string') throw bad(`operation ${index}: ${name} is no text`);
      return value;
    };
    const number = (name: string): bigint => uint64(String(fields.get(name) ?? 0), name);
    const encoded = text('value');
    if (!BASE64.test(encoded)) throw bad(`operation ${index}: the value is not Base64`);
    const value = Buffer.from(encoded, 'base64');
    const key = text('key');
    checkKey(key);
    if (value.length > MAX_VALUE_BYTES)
      throw kvErrors.VALUE_TOO_LARGE({ key, bytes: value.length, max: MAX_VALUE_BYTES });
    return { verb: text('verb'), key, value, flags: number('flags'), index: number('index'), session: text('session') };
  });
}

/** Numbers above 2^53 become texts with all their digits. */
function parseExactly(body: Buffer): unknown {
  const exact = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
  try {
    return JSON.parse(body.toString('utf8'), exact as Parameters<typeof JSON.parse>[1]);
  } catch {
    throw bad('not JSON');
  }
}

function fieldsOf(value: unknown, index: number): Map<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(`operation ${index}: want {"KV": {…}}; keys and values are all that transactions know here`);
  return new Map(Object.entries(value).map(([name, one]) => [name.replaceAll('_', '').toLowerCase(), one]));
}

const bad = (what: string) => kvErrors.BAD_TXN({ what });
