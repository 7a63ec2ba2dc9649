import {
  create,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { Violation } from '@souk/kernel';
import { compileScalarDecoder, enumDecoder, NOT_DECODED, type ValueDecoder } from './json-value-decoder.ts';
import { plainForm } from './plain-form.ts';
import { MAX_VIOLATIONS, report, step } from './pointer.ts';

/**
 * Makes a message of parsed JSON, by the protobuf JSON mapping, strictly: an unknown field, a value of the wrong type or a field
 * given twice is a violation at its pointer. Names may be lowerCamelCase or as in the contract.
 */
export type JsonDecoder<TDesc extends DescMessage = DescMessage> = (json: unknown) => {
  readonly message: MessageShape<TDesc>;
  /** At most 20; when there are any, the message is not complete. */
  readonly violations: readonly Violation[];
};

type Fields = Record<string, unknown>;
type FieldDecoder = (json: unknown, message: Fields, pointer: string, out: Violation[]) => void;

/** A cache of a pure function of immutable descriptors; also what lets a message contain itself. */
const decoders = new WeakMap<DescMessage, ValueDecoder>();

export function compileJsonDecoder<TDesc extends DescMessage>(desc: TDesc): JsonDecoder<TDesc> {
  const decode = messageDecoder(desc);
  return (json) => {
    const violations: Violation[] = [];
    const decoded = decode(json, '', violations);
    const message = decoded === NOT_DECODED ? create(desc) : (decoded as MessageShape<TDesc>);
    return { message, violations };
  };
}

function messageDecoder(desc: DescMessage): ValueDecoder {
  const known = decoders.get(desc);
  if (known !== undefined) return known;
  if (desc.typeName.startsWith('google.protobuf.') && desc.typeName !== 'google.protobuf.Empty')
    return wellKnownDecoder(desc);
  // Looked up in a map, so that a key such as __proto__ is an unknown field like any other.
  const fields = new Map<string, FieldDecoder>();
  const decode: ValueDecoder = (json, pointer, out) => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      report(out, pointer, 'must be an object');
      return NOT_DECODED;
    }
    const message = create(desc) as unknown as Fields;
    const seen = new Set<FieldDecoder>();
    for (const key of Object.keys(json)) {
      const field = fields.get(key);
      if (field === undefined) report(out, step(pointer, key), 'is not a known field');
      else if (seen.has(field)) report(out, step(pointer, key), 'is given twice');
      else {
        seen.add(field);
        field((json as Fields)[key], message, step(pointer, key), out);
      }
      if (out.length >= MAX_VIOLATIONS) break;
    }
    return message;
  };
  decoders.set(desc, decode);
  for (const field of desc.fields) {
    const decoder = fieldDecoder(field);
    fields.set(field.name, decoder);
    fields.set(field.jsonName, decoder);
  }
  return decode;
}

/** Types with a JSON form of their own: times, durations, wrappers, free-form values. */
function wellKnownDecoder(desc: DescMessage): ValueDecoder {
  const wanted = WELL_KNOWN.get(desc.name) ?? `must be the JSON form of ${desc.typeName}`;
  const takesNull = desc.typeName === 'google.protobuf.Value';
  return (json, pointer, out) => {
    if (json === null && !takesNull) {
      report(out, pointer, wanted);
      return NOT_DECODED;
    }
    try {
      return fromJson(desc, json as JsonValue);
    } catch {
      // The library's text repeats the value, which may be personal.
      report(out, pointer, wanted);
      return NOT_DECODED;
    }
  };
}

const WELL_KNOWN: ReadonlyMap<string, string> = new Map([
  ['Timestamp', 'must be a time in RFC 3339, such as 2026-01-31T12:00:00Z'],
  ['Duration', 'must be a duration in seconds, such as 1.5s'],
]);

function fieldDecoder(field: DescField): FieldDecoder {
  const decode = singleDecoder(field);
  const { localName } = field;
  if (field.fieldKind === 'list') return listDecoder(localName, decode);
  if (field.fieldKind === 'map') return mapDecoder(field, decode);
  const takesNull =
    field.message?.typeName === 'google.protobuf.Value' || field.enum?.typeName === 'google.protobuf.NullValue';
  const group = field.oneof?.localName;
  return (json, message, pointer, out) => {
    if (json === null && !takesNull) return;
    const value = decode(json, pointer, out);
    if (value === NOT_DECODED) return;
    if (group === undefined) message[localName] = value;
    else if ((message[group] as { case?: string }).case !== undefined)
      report(out, pointer, 'excludes another field that is set');
    else message[group] = { case: localName, value };
  };
}

function listDecoder(localName: string, decode: ValueDecoder): FieldDecoder {
  return (json, message, pointer, out) => {
    if (json === null) return;
    if (!Array.isArray(json)) return report(out, pointer, 'must be an array');
    const items = message[localName] as unknown[];
    for (let index = 0; index < json.length && out.length < MAX_VIOLATIONS; index++) {
      const value = decode(json[index], step(pointer, index), out);
      if (value !== NOT_DECODED) items.push(value);
    }
  };
}

function mapDecoder(field: DescField & { fieldKind: 'map' }, decode: ValueDecoder): FieldDecoder {
  const { localName } = field;
  const decodeKey = compileScalarDecoder(field.mapKey, true);
  return (json, message, pointer, out) => {
    if (json === null) return;
    if (typeof json !== 'object' || Array.isArray(json)) return report(out, pointer, 'must be an object');
    const entries = message[localName] as Fields;
    for (const [key, item] of Object.entries(json)) {
      const at = step(pointer, key);
      const mapKey = decodeKey(key, at, out);
      const value = mapKey === NOT_DECODED ? NOT_DECODED : decode(item, at, out);
      if (value !== NOT_DECODED) {
        // Defined rather than assigned: an entry named __proto__ is data, not the prototype.
        Object.defineProperty(entries, String(mapKey), { value, enumerable: true, configurable: true, writable: true });
      }
      if (out.length >= MAX_VIOLATIONS) return;
    }
  };
}

const decodeObject: ValueDecoder = (json, pointer, out) => {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  report(out, pointer, 'must be an object');
  return NOT_DECODED;
};

function singleDecoder(field: DescField): ValueDecoder {
  const { message } = field;
  const plain = plainForm(field);
  if (plain === 'object') return decodeObject;
  if (plain !== undefined) return compileScalarDecoder(plain, false);
  // Resolved at first use: the message may contain itself.
  if (message !== undefined) {
    let decode: ValueDecoder | undefined;
    return (json, pointer, out) => {
      decode ??= messageDecoder(message);
      return decode(json, pointer, out);
    };
  }
  if (field.enum !== undefined) return enumDecoder(field.enum);
  return compileScalarDecoder(field.scalar, false, 'longAsString' in field && field.longAsString);
}
