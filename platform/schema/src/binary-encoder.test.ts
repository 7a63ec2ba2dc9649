import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { hasReason } from '@souk/kernel';
import fc from 'fast-check';
import { messages } from '../test/any-message.ts';
import { messageNamed } from '../test/rules.ts';
import { compileBinaryEncoder } from './binary-encoder.ts';

const NAMES = ['Every', 'Texts', 'Values', 'Required', 'Secrets', 'Happened', 'KeylessEvent'];

const bytesOf = (encode: () => Uint8Array): Uint8Array | 'refused' => {
  try {
    return encode();
  } catch {
    return 'refused';
  }
};

for (const name of NAMES) {
  test(`any message ${name} has the bytes that the library writes, one after the other`, () => {
    const desc = messageNamed(name);
    const encode = compileBinaryEncoder(desc);
    fc.assert(
      fc.property(messages(desc, 2), (init) => {
        const message = create(desc, init as MessageInitShape<DescMessage>);
        assert.deepEqual(
          bytesOf(() => encode(message)),
          bytesOf(() => toBinary(desc, message)),
        );
      }),
      { numRuns: 100 },
    );
  });
}

test('messages that contain themselves, and large ones, have the bytes that the library writes', () => {
  const encode = compileBinaryEncoder(FileDescriptorSetSchema);
  const message = (depth: number): object => ({
    name: `M${depth}`,
    field: [{ name: 'f', number: depth, jsonName: 'x'.repeat(200) }],
    nestedType: depth === 0 ? [] : [message(depth - 1), message(depth - 1)],
  });
  for (const depth of [1, 9, 2]) {
    const file = create(FileDescriptorProtoSchema, { name: 'a.proto', package: '', messageType: [message(depth)] });
    const set = create(FileDescriptorSetSchema, { file: [file] });
    assert.deepEqual(encode(set), toBinary(FileDescriptorSetSchema, set));
  }
});

test('fields that this version does not know are handed on', () => {
  const known = toBinary(TimestampSchema, create(TimestampSchema, { seconds: 5n }));
  const message = fromBinary(TimestampSchema, Uint8Array.of(...known, 0x52, 1, 65));
  assert.deepEqual([...compileBinaryEncoder(TimestampSchema)(message)], [...known, 0x52, 1, 65]);
});

test('what was written before is not changed by what comes after', () => {
  const encode = compileBinaryEncoder(TimestampSchema);
  const first = encode(create(TimestampSchema, { seconds: 1n }));
  const copy = [...first];
  encode(create(TimestampSchema, { seconds: 2n ** 62n, nanos: 7 }));
  assert.deepEqual([...first], copy);
});

test('a value that the contract does not allow is refused, and the next message is whole', () => {
  const encode = compileBinaryEncoder(TimestampSchema);
  const good = create(TimestampSchema, { seconds: 3n, nanos: 4 });
  for (const bad of [{ nanos: 1.5 }, { nanos: 2 ** 40 }, { seconds: 2n ** 70n }, { nanos: null }])
    assert.throws(() => encode(Object.assign(create(TimestampSchema, { seconds: 9n }), bad)));
  assert.throws(
    () => encode(create(FileDescriptorProtoSchema) as never),
    (error: Error) => hasReason(error as never, 'SCHEMA_BAD_VALUE'),
  );
  assert.deepEqual(encode(good), toBinary(TimestampSchema, good));
});
