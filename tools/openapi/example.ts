import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { rulesOf } from './contracts.ts';
import type { Json, JsonObject } from './json.ts';
import { exampleOf } from './schema.ts';

const ANY_JSON: ReadonlySet<string> = new Set(['google.protobuf.Value', 'google.protobuf.Struct']);
const INSTANT = '2026-03-14T09:26:53.589Z';
const TOKENS = new Set(['page_token', 'next_page_token', 'etag']);

const enumExample = (desc: DescEnum): string => (desc.values[1] ?? desc.values[0])?.name ?? '';

function scalarExample(field: DescField): Json | undefined {
  const rules = rulesOf(field);
  switch (field.scalar) {
    case ScalarType.BOOL:
      return true;
    case ScalarType.STRING:
      if (rules?.in[0] !== undefined) return rules.in[0];
      if (rules?.format === 'currency') return 'EUR';
      // Without an example in the contract a text says nothing, unless it must be sent.
      return rules?.required ? 'text' : undefined;
    case ScalarType.BYTES:
      return 'AAEC';
    case ScalarType.INT64:
      return '1999';
    default:
      return 1;
  }
}

function fieldExample(field: DescField, seen: readonly DescMessage[]): Json | undefined {
  const given = exampleOf(field);
  const one = (): Json | undefined => {
    if (given !== undefined) return given;
    if (field.enum !== undefined) return enumExample(field.enum);
    if (field.message?.typeName === 'google.protobuf.Timestamp') return INSTANT;
    // Any JSON: an example would say nothing.
    if (ANY_JSON.has(field.message?.typeName ?? '')) return undefined;
    if (field.message !== undefined) {
      return seen.includes(field.message) ? undefined : messageExample(field.message, new Set(), seen);
    }
    return scalarExample(field);
  };
  if (field.fieldKind === 'map') return undefined;
  const value = one();
  if (value === undefined || field.fieldKind !== 'list' || Array.isArray(given)) return value;
  return [value];
}

/** An example of a message in the JSON mapping, without the fields named. */
export function messageExample(
  message: DescMessage,
  without: ReadonlySet<string>,
  seen: readonly DescMessage[] = [],
): JsonObject {
  const out: JsonObject = {};
  for (const field of message.fields) {
    if (without.has(field.name) || TOKENS.has(field.name)) continue;
    const value = fieldExample(field, [...seen, message]);
    if (value !== undefined) out[field.jsonName] = value;
  }
  return out;
}
