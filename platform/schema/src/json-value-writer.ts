import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  ScalarType,
} from '@bufbuild/protobuf';
import { schemaErrors } from './errors.ts';
import { plainForm } from './plain-form.ts';

/** Writes one value as JSON text. @throws SCHEMA_BAD_VALUE */
// biome-ignore lint/suspicious/noExplicitAny: what a value is, its descriptor says
export type ValueWriter = (value: any) => string;

/** The writer of a field's value, or of one entry of a list or map. */
export function compileValueWriter(field: DescField, messageWriter: (desc: DescMessage) => ValueWriter): ValueWriter {
  const { message } = field;
  if (message === undefined) return field.enum === undefined ? scalarWriter(field) : enumWriter(field, field.enum);
  const write = messageWriter(message);
  const plain = plainForm(field);
  if (plain === undefined) return write;
  // The library keeps these in a form of its own; they are rare enough to be turned back into messages.
  if (plain === 'object') return (value) => write(fromJson(message, value as JsonObject));
  return (value) => write(create(message, { value }));
}

function enumWriter(field: DescField, desc: DescEnum): ValueWriter {
  if (desc.typeName === 'google.protobuf.NullValue') return () => 'null';
  const names = new Map(desc.values.map(({ number }) => [number, JSON.stringify(desc.value[number]?.jsonName)]));
  return (value) => names.get(value) ?? numberText(field, value);
}

function scalarWriter(field: DescField): ValueWriter {
  switch (field.scalar) {
    case ScalarType.STRING:
      return (value) => (typeof value === 'string' ? JSON.stringify(value) : refuse(field));
    case ScalarType.BOOL:
      return (value) => (value === true ? 'true' : value === false ? 'false' : refuse(field));
    case ScalarType.BYTES:
      return (value) => (value instanceof Uint8Array ? bytesText(value) : refuse(field));
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return (value) => {
        if (typeof value !== 'number') return refuse(field);
        return Number.isFinite(value) ? String(value) : `"${value}"`;
      };
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return (value) => {
        if (typeof value === 'bigint' || Number.isInteger(value)) return `"${value}"`;
        // Where the contract wants 64-bit integers as strings.
        return typeof value === 'string' ? JSON.stringify(value) : refuse(field);
      };
    default:
      return (value) => numberText(field, value);
  }
}

const numberText = (field: DescField, value: unknown): string =>
  Number.isFinite(value) ? String(value) : refuse(field);

const bytesText = ({ buffer, byteOffset, length }: Uint8Array): string =>
  `"${Buffer.from(buffer, byteOffset, length).toString('base64')}"`;

/** Names the field, never the value. */
function refuse(field: DescField): never {
  throw schemaErrors.BAD_VALUE({ subject: String(field) });
}
