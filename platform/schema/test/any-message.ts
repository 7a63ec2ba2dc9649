// Any message of any contract of the tests.

import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { Init } from './rules.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('"\\\n', '\u2028', '\ud800', 'ü€😀'));
const bytes = fc.uint8Array({ maxLength: 9 });
const nanos = fc.oneof(
  fc.constantFrom(0, 1_000_000, 123_000_000, 999_999_999),
  fc.integer({ min: 0, max: 999_999_999 }),
);
const jsonObject = fc
  .dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }))
  .map((json) => JSON.parse(JSON.stringify(json)));

const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.BYTES]: bytes,
  [ScalarType.DOUBLE]: fc.double(),
  [ScalarType.FLOAT]: fc.float(),
  [ScalarType.UINT32]: fc.nat(),
  [ScalarType.FIXED32]: fc.nat(),
  [ScalarType.UINT64]: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  [ScalarType.FIXED64]: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  [ScalarType.INT32]: fc.integer(),
  [ScalarType.SINT32]: fc.integer(),
  [ScalarType.SFIXED32]: fc.integer(),
};
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** Values for a message, as `create` takes them, with messages in it to a depth. */
export function messages(desc: DescMessage, depth: number): fc.Arbitrary<Init> {
  const of = (init: object) => fc.constant(init as Init);
  switch (desc.name) {
    case 'Timestamp':
      return fc.record({ seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }), nanos });
    case 'Duration':
      return fc.record({ seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }), nanos });
    case 'FieldMask':
      return fc.record({ paths: fc.array(fc.constantFrom('a', 'a_b.c', 'long_name')) });
    case 'Any':
      return of({});
    case 'Value':
      return fc.oneof(
        of({ kind: { case: 'nullValue', value: 0 } }),
        text.map((value) => ({ kind: { case: 'stringValue', value } })),
        of({ kind: { case: 'structValue', value: { fields: { a: { kind: { case: 'boolValue', value: true } } } } } }),
      );
    case 'ListValue':
      return depth === 0
        ? of({})
        : fc.record({ values: fc.array(messages(desc.field.values?.message as DescMessage, 0), { maxLength: 2 }) });
    default:
      return fields(desc, depth);
  }
}

function fields(desc: DescMessage, depth: number): fc.Arbitrary<Init> {
  const parts: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of desc.members) {
    if (member.kind === 'oneof') {
      const cases = member.fields
        .filter((field) => field.message === undefined || depth > 0)
        .map((field) => single(field, depth).map((value) => ({ case: field.localName, value })));
      parts[member.localName] = fc.oneof(...cases);
    } else if (member.message === undefined || depth > 0) parts[member.localName] = whole(member, depth);
  }
  return fc.record(parts, { requiredKeys: [] });
}

function whole(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === 'list') return fc.array(single(field, depth), { maxLength: 3 });
  if (field.fieldKind !== 'map') return single(field, depth);
  const keys =
    field.mapKey === ScalarType.STRING
      ? text
      : field.mapKey === ScalarType.BOOL
        ? fc.boolean().map(String)
        : int64.map(String);
  return fc.dictionary(keys, single(field, depth), { maxKeys: 3, noNullPrototype: true });
}

function single(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const { message } = field;
  if (field.enum !== undefined) {
    return field.enum.typeName === 'google.protobuf.NullValue' ? fc.constant(0) : fc.constantFrom(0, 1, 2, 77, -1);
  }
  if (message === undefined) {
    if (field.name === 'text_number') return int64.map(String);
    return scalars[field.scalar as ScalarType] ?? int64;
  }
  if (message.name === 'Struct') return jsonObject;
  if (field.name.startsWith('wrapped') && field.fieldKind === 'message') {
    return single(message.fields[0] as DescField, 0);
  }
  return messages(message, depth - 1);
}
