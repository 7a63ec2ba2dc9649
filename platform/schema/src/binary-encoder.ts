import {
  type DescField,
  type DescMessage,
  type Message,
  type MessageShape,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FeatureSet_FieldPresence, isWrapperDesc } from '@bufbuild/protobuf/wkt';
import { schemaErrors } from './errors.ts';

/**
 * Writes a message in the protobuf binary format: the very bytes of the library's `toBinary`, for less, because the buffer is kept
 * from one message to the next.
 * @throws SCHEMA_BAD_VALUE, or an error of the protobuf library, for a value that its contract does not allow
 */
export type BinaryEncoder<TDesc extends DescMessage = DescMessage> = (message: MessageShape<TDesc>) => Uint8Array;

type Fields = Readonly<Record<string, unknown>>;
type Write = (writer: BinaryWriter, message: Fields) => void;
type WriteValue = (writer: BinaryWriter, value: unknown) => void;

const { IMPLICIT, LEGACY_REQUIRED } = FeatureSet_FieldPresence;
/** A buffer that has grown beyond is not kept, in bytes. */
const LARGEST_KEPT = 65_536;

/** A cache of a pure function of immutable descriptors; also what lets a message contain itself. */
const writers = new WeakMap<DescMessage, Write>();

export function compileBinaryEncoder<TDesc extends DescMessage>(desc: TDesc): BinaryEncoder<TDesc> {
  if (!isPlain(desc)) return (message) => toBinary(desc, message);
  const write = writerOf(desc);
  let writer = new BinaryWriter();
  return (message) => {
    try {
      write(writer, message as unknown as Fields);
      const bytes = writer.finish();
      if (bytes.length > LARGEST_KEPT) writer = new BinaryWriter();
      return bytes;
    } catch (error) {
      // It holds half of a message.
      writer = new BinaryWriter();
      throw error;
    }
  };
}

/** Whether a message, and all in it, has only what is written here. What is rare is left to the library. */
function isPlain(desc: DescMessage, seen = new Set<DescMessage>()): boolean {
  // Of a message that contains itself the rest decides.
  if (seen.has(desc)) return true;
  seen.add(desc);
  return desc.fields.every((field) => isPlainField(field, seen));
}

function isPlainField(field: DescField, seen: Set<DescMessage>): boolean {
  if (field.presence === LEGACY_REQUIRED) return false;
  if (field.fieldKind === 'map' && field.mapKey !== ScalarType.STRING) return false;
  const { message } = field;
  if (message === undefined) return true;
  const isSpecial = message.typeName === 'google.protobuf.Struct' || isWrapperDesc(message);
  const isGroup = 'delimitedEncoding' in field && field.delimitedEncoding === true;
  return !isSpecial && !isGroup && isPlain(message, seen);
}

function writerOf(desc: DescMessage): Write {
  const known = writers.get(desc);
  if (known !== undefined) return known;
  const { typeName } = desc;
  // Compiled when the first message comes: a message may contain itself.
  let fields: readonly Write[] | undefined;
  const write: Write = (writer, message) => {
    const { $typeName, $unknown } = message as unknown as Message;
    if ($typeName !== typeName) throw schemaErrors.BAD_VALUE({ subject: typeName });
    fields ??= desc.fields.toSorted((a, b) => a.number - b.number).map(fieldWriter);
    for (let index = 0; index < fields.length; index++) (fields[index] as Write)(writer, message);
    if ($unknown === undefined) return;
    for (const { no, wireType, data } of $unknown) writer.tag(no, wireType).raw(data);
  };
  writers.set(desc, write);
  return write;
}

function fieldWriter(field: DescField): Write {
  const { localName } = field;
  if (field.fieldKind === 'list') return listWriter(field);
  if (field.fieldKind === 'map') return mapWriter(field);
  const write = tagged(field.number, valueWriter(field));
  if (field.oneof !== undefined) {
    const oneof = field.oneof.localName;
    return (writer, message) => {
      const chosen = message[oneof] as { readonly case: string | undefined; readonly value: unknown };
      if (chosen.case === localName) write(writer, chosen.value);
    };
  }
  if (field.presence !== IMPLICIT) {
    return (writer, message) => {
      const value = message[localName];
      if (value !== undefined && Object.hasOwn(message, localName)) write(writer, value);
    };
  }
  const isZero = zeroOf(field);
  return (writer, message) => {
    const value = message[localName];
    if (!isZero(value)) write(writer, value);
  };
}

/** Whether a value is the one that is not written. */
function zeroOf(field: DescField): (value: unknown) => boolean {
  if (field.enum !== undefined) {
    const zero = field.enum.values[0]?.number;
    return (value) => value === zero;
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return (value) => value === false;
    case ScalarType.STRING:
      return (value) => value === '';
    case ScalarType.BYTES:
      return (value) => value instanceof Uint8Array && value.byteLength === 0;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return (value) => Object.is(value, 0);
    default:
      // 0n, 0 and '0' are all it.
      return (value) => value !== null && Number(value) === 0;
  }
}

interface Value {
  readonly wireType: WireType;
  readonly write: WriteValue;
}

const tagged =
  (number: number, { wireType, write }: Value): WriteValue =>
  (writer, value) => {
    writer.tag(number, wireType);
    write(writer, value);
  };

function listWriter(field: DescField & { readonly fieldKind: 'list' }): Write {
  const { localName, number } = field;
  const value = valueWriter(field);
  if (!field.packed) {
    const write = tagged(number, value);
    return (writer, message) => {
      for (const item of message[localName] as readonly unknown[]) write(writer, item);
    };
  }
  return (writer, message) => {
    const items = message[localName] as readonly unknown[];
    if (items.length === 0) return;
    writer.tag(number, WireType.LengthDelimited).fork();
    for (const item of items) value.write(writer, item);
    writer.join();
  };
}

function mapWriter(field: DescField & { readonly fieldKind: 'map' }): Write {
  const { localName, number } = field;
  // In an entry the key is field 1, the value field 2.
  const write = tagged(2, valueWriter(field));
  return (writer, message) => {
    const entries = message[localName] as Readonly<Record<string, unknown>>;
    for (const key of Object.keys(entries)) {
      writer.tag(number, WireType.LengthDelimited).fork();
      writer.tag(1, WireType.LengthDelimited).string(key);
      write(writer, entries[key]);
      writer.join();
    }
  };
}

/** How one value is written, behind its tag. */
function valueWriter(field: DescField): Value {
  const { message } = field;
  if (message !== undefined) {
    const writeMessage = writerOf(message);
    const write: WriteValue = (writer, value) => {
      writer.fork();
      writeMessage(writer, value as Fields);
      writer.join();
    };
    return { wireType: WireType.LengthDelimited, write };
  }
  return SCALARS[field.enum !== undefined ? ScalarType.INT32 : (field.scalar as ScalarType)];
}

const { Varint, LengthDelimited, Bit32, Bit64 } = WireType;

const SCALARS: Readonly<Record<ScalarType, Value>> = {
  [ScalarType.STRING]: { wireType: LengthDelimited, write: (writer, value) => writer.string(value as string) },
  [ScalarType.BYTES]: { wireType: LengthDelimited, write: (writer, value) => writer.bytes(value as Uint8Array) },
  [ScalarType.BOOL]: { wireType: Varint, write: (writer, value) => writer.bool(value as boolean) },
  [ScalarType.INT32]: { wireType: Varint, write: (writer, value) => writer.int32(value as number) },
  [ScalarType.UINT32]: { wireType: Varint, write: (writer, value) => writer.uint32(value as number) },
  [ScalarType.SINT32]: { wireType: Varint, write: (writer, value) => writer.sint32(value as number) },
  [ScalarType.INT64]: { wireType: Varint, write: (writer, value) => writer.int64(value as bigint) },
  [ScalarType.UINT64]: { wireType: Varint, write: (writer, value) => writer.uint64(value as bigint) },
  [ScalarType.SINT64]: { wireType: Varint, write: (writer, value) => writer.sint64(value as bigint) },
  [ScalarType.FIXED32]: { wireType: Bit32, write: (writer, value) => writer.fixed32(value as number) },
  [ScalarType.SFIXED32]: { wireType: Bit32, write: (writer, value) => writer.sfixed32(value as number) },
  [ScalarType.FLOAT]: { wireType: Bit32, write: (writer, value) => writer.float(value as number) },
  [ScalarType.FIXED64]: { wireType: Bit64, write: (writer, value) => writer.fixed64(value as bigint) },
  [ScalarType.SFIXED64]: { wireType: Bit64, write: (writer, value) => writer.sfixed64(value as bigint) },
  [ScalarType.DOUBLE]: { wireType: Bit64, write: (writer, value) => writer.double(value as number) },
};
