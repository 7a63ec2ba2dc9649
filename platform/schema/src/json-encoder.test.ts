import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type Message, type MessageInitShape, toJsonString } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { messages } from '../test/any-message.ts';
import { type AnyMessage, type Init, messageNamed } from '../test/rules.ts';
import { compileJsonEncoder } from './json-encoder.ts';

const Every = messageNamed('Every');
const encode = compileJsonEncoder(Every);

const make = (init: Init): AnyMessage => create(Every, init as MessageInitShape<DescMessage>) as AnyMessage;
const written = (init: Init): Record<string, unknown> => JSON.parse(encode(make(init)));
const byLibrary = (desc: DescMessage, message: Message): string =>
  toJsonString(desc, message, { alwaysEmitImplicit: true });

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
