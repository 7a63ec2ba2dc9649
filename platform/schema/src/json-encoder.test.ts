import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  type MessageInitShape,
  ScalarType,
  toJsonString,
} from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { type AnyMessage, type Init, messageNamed } from '../test/rules.ts';
import { compileJsonEncoder } from './json-encoder.ts';

const Every = messageNamed('Every');
const encode = compileJsonEncoder(Every);

const make = (init: Init): AnyMessage => create(Every, init as MessageInitShape<DescMessage>) as AnyMessage;
const written = (init: Init): Record<string, unknown> => JSON.parse(encode(make(init)));
const byLibrary = (desc: DescMessage, message: Message): string =>
  toJsonString(desc, message, { alwaysEmitImplicit: true });

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

function messages(desc: DescMessage, depth: number): fc.Arbitrary<Init> {
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

test('any message is written as the library writes it', () => {
  fc.assert(
    fc.property(messages(Every, 2), (init) => {
      const message = make(init);
      assert.deepEqual(JSON.parse(encode(message)), JSON.parse(byLibrary(Every, message)));
    }),
    { numRuns: 300 },
  );
});

test('messages of other contracts are written as the library writes them', () => {
  for (const name of ['Texts', 'Values', 'Required', 'Secrets', 'Happened', 'KeylessEvent']) {
    const desc = messageNamed(name);
    const encodeIt = compileJsonEncoder(desc);
    fc.assert(
      fc.property(messages(desc, 2), (init) => {
        const message = create(desc, init as MessageInitShape<DescMessage>);
        assert.deepEqual(JSON.parse(encodeIt(message)), JSON.parse(byLibrary(desc, message)));
      }),
      { numRuns: 50 },
    );
  }
});

test('a field of proto2 that is not set is left out, and one that is set to its default is written', () => {
  const file = create(FileDescriptorProtoSchema, { name: 'a.proto', messageType: [{ name: 'A' }], package: '' });
  const set = create(FileDescriptorSetSchema, { file: [file] });
  const encodeSet = compileJsonEncoder(FileDescriptorSetSchema);
  assert.deepEqual(JSON.parse(encodeSet(set)), JSON.parse(byLibrary(FileDescriptorSetSchema, set)));
});

test('every field without presence is written, none that has presence and is not set', () => {
  const json = written({});
  assert.equal(json.int32, 0);
  assert.equal(json.int64, '0');
  assert.equal(json.string, '');
  assert.equal(json.bool, false);
  assert.equal(json.kind, 'KIND_UNSPECIFIED');
  assert.deepEqual([json.list, json.map], [[], {}]);
  for (const name of ['maybeInt64', 'again', 'text', 'at', 'wrappedString', 'value']) assert.equal(name in json, false);
});

test('64-bit integers keep every digit, and numbers without a JSON form are strings', () => {
  assert.equal(written({ int64: -(2n ** 63n) }).int64, '-9223372036854775808');
  assert.equal(written({ double: Number.NaN }).double, 'NaN');
  assert.equal(written({ float: Number.NEGATIVE_INFINITY }).float, '-Infinity');
});

test('a number that is not known to an enum is written as a number', () => {
  assert.deepEqual(written({ kinds: [1, 77] }).kinds, ['ONE', 77]);
});

test('times have as many digits as they need', () => {
  const encodeTime = compileJsonEncoder(TimestampSchema);
  const time = (seconds: bigint, nanos: number) => encodeTime(create(TimestampSchema, { seconds, nanos }));
  assert.equal(time(0n, 0), '"1970-01-01T00:00:00Z"');
  assert.equal(time(-1n, 5_000_000), '"1969-12-31T23:59:59.005Z"');
  assert.equal(time(1n, 1), '"1970-01-01T00:00:01.000000001Z"');
  assert.equal(time(-62_135_596_800n, 0), '"0001-01-01T00:00:00Z"');
  assert.throws(() => time(253_402_300_800n, 0));
  assert.throws(() => time(0n, -1));
});

test('a value of a wrong type is refused and not repeated', () => {
  const refused: Init[] = [
    { string: 5 },
    { int32: '5' },
    { int32: Number.NaN },
    { bool: 'secret' },
    { bytes: 'secret' },
    { int64: 1.5 },
    { double: 'secret' },
    { kind: 'secret' },
    { again: { $typeName: 'rules.v1.Texts' } },
    { list: [undefined] },
  ];
  for (const wrong of refused) {
    const message = Object.assign(make({}), wrong);
    assert.throws(
      () => encode(message),
      (error) => hasReason(error, 'SCHEMA_BAD_VALUE') && !String(error).includes('secret'),
    );
  }
});

test('a key or name that means something to JavaScript is written like any other', () => {
  const json = encode(make({ ['__proto__' as string]: 'x', map: JSON.parse('{"__proto__":{"int32":1}}') }));
  assert.equal(Object.hasOwn(JSON.parse(json).map, '__proto__'), true);
});
