import { registryErrors } from '../errors.ts';
import { parseGoDuration } from './go-duration.ts';

/**
 * An object of a request body. Names of fields are found in any case and spelling: `ServiceID`, `serviceId` and `service_id` are the same;
 * what nobody asks for is tolerated. A field that is `null` is missing.
 *
 * Each reader throws REGISTRY_DECODE_FAILED for a value of another kind.
 */
export interface Fields {
  has(name: string): boolean;
  /** Default: empty. */
  text(name: string): string;
  /** Default: 0. */
  integer(name: string): number;
  /** Default: false. */
  flag(name: string): boolean;
  /** Text like `10s`, or a number of nanoseconds. In milliseconds; undefined when missing or empty. */
  durationMs(name: string): number | undefined;
  texts(name: string): readonly string[];
  /** Keys are kept as they are. */
  textMap(name: string): Readonly<Record<string, string>>;
  /** As `textMap`, with lists of values; one value may stand alone. */
  textsMap(name: string): Readonly<Record<string, readonly string[]>>;
  object(name: string): Fields | undefined;
  objects(name: string): readonly Fields[];
  /** Values by key; keys are kept as they are. */
  objectMap(name: string): ReadonlyArray<readonly [string, Fields]>;
}

/** @param body JSON; empty means an object without fields. @throws REGISTRY_DECODE_FAILED */
export function parseFields(body: Buffer): Fields {
  let parsed: unknown = {};
  if (body.length > 0) {
    try {
      parsed = JSON.parse(body.toString('utf8'));
    } catch (thrown) {
      // What it says quotes the body, which may hold secrets.
      throw failed('the body is not JSON', thrown);
    }
  }
  return fieldsOf(parsed, 'the body');
}

export function fieldsOf(value: unknown, place: string): Fields {
  if (!isObject(value)) throw failed(`${place}: want an object`);
  const fields = new Map(Object.entries(value).map(([name, one]) => [plain(name), one ?? undefined]));
  const get = (name: string): unknown => fields.get(plain(name));

  const entries = (name: string): ReadonlyArray<readonly [string, unknown]> => {
    const found = get(name);
    if (found === undefined) return [];
    if (!isObject(found)) throw failed(`${name}: want an object`);
    return Object.entries(found);
  };
  const asText = (one: unknown, name: string): string => {
    if (typeof one !== 'string') throw failed(`${name}: want a text`);
    return one;
  };
  const list = (name: string): readonly unknown[] => {
    const found = get(name) ?? [];
    if (!Array.isArray(found)) throw failed(`${name}: want a list`);
    return found;
  };

  return {
    has: (name) => get(name) !== undefined,
    text: (name) => asText(get(name) ?? '', name),
    integer: (name) => {
      const found = get(name) ?? 0;
      if (!Number.isSafeInteger(found)) throw failed(`${name}: want a whole number`);
      return found as number;
    },
    flag: (name) => {
      const found = get(name) ?? false;
      if (typeof found !== 'boolean') throw failed(`${name}: want true or false`);
      return found;
    },
    durationMs: (name) => {
      const found = get(name) ?? '';
      if (found === '') return undefined;
      const ms = typeof found === 'number' ? found / 1e6 : parseGoDuration(asText(found, name));
      if (ms === undefined) throw failed(`${name}: want a duration like 10s or 1m30s`);
      return ms;
    },
    texts: (name) => list(name).map((one) => asText(one, name)),
    textMap: (name) => Object.fromEntries(entries(name).map(([key, one]) => [key, asText(one, name)])),
    textsMap: (name) =>
      Object.fromEntries(
        entries(name).map(([key, one]) => [
          key,
          Array.isArray(one) ? one.map((each) => asText(each, name)) : [asText(one, name)],
        ]),
      ),
    object: (name) => {
      const found = get(name);
      return found === undefined ? undefined : fieldsOf(found, name);
    },
    objects: (name) => list(name).map((one) => fieldsOf(one, name)),
    objectMap: (name) => entries(name).map(([key, one]) => [key, fieldsOf(one, name)]),
  };
}

const plain = (name: string): string => name.replaceAll('_', '').toLowerCase();

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const failed = (what: string, cause?: unknown) => registryErrors.DECODE_FAILED({ what }, { cause });
