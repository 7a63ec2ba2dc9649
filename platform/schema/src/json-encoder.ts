import { type DescField, type DescMessage, type Message, type MessageShape, toJson } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { schemaErrors } from './errors.ts';
import { compileValueWriter, type ValueWriter } from './json-value-writer.ts';
import { timestampText } from './timestamp-text.ts';

/**
 * Writes a message as JSON text, by the protobuf JSON mapping. Fields without `optional` are written also when they are zero or empty.
 * @throws SCHEMA_BAD_VALUE, or an error of the protobuf library, for a value that its contract does not allow
 */
export type JsonEncoder<TDesc extends DescMessage = DescMessage> = (message: MessageShape<TDesc>) => string;

type Fields = Readonly<Record<string, unknown>>;

/** @returns `before` and the field behind it; `before` alone when the field is not set. */
type FieldWriter = (before: string, message: Fields) => string;

const { LEGACY_REQUIRED, IMPLICIT } = FeatureSet_FieldPresence;
const EVERY_FIELD = { alwaysEmitImplicit: true } as const;

/** Types of the library's package whose JSON is like that of any other message; the rest have a form of their own. */
const PLAIN_TYPES: ReadonlySet<string> = new Set(['google.protobuf.Empty']);

/** A cache of a pure function of immutable descriptors; also what lets a message contain itself. */
const writers = new WeakMap<DescMessage, ValueWriter>();

export function compileJsonEncoder<TDesc extends DescMessage>(desc: TDesc): JsonEncoder<TDesc> {
  return messageWriter(desc);
}

function messageWriter(desc: DescMessage): ValueWriter {
  const known = writers.get(desc);
  if (known !== undefined) return known;
  const { typeName } = desc;
  const write = wellKnownWriter(desc) ?? fieldsWriter(desc);
  const checked: ValueWriter = (value) => {
    if ((value as Message | undefined)?.$typeName !== typeName) throw schemaErrors.BAD_VALUE({ subject: typeName });
    return write(value);
  };
  writers.set(desc, checked);
  return checked;
}

function fieldsWriter(desc: DescMessage): ValueWriter {
  // Compiled when the first message comes: a message may contain itself.
  let fields: readonly FieldWriter[] | undefined;
  return (value) => {
    fields ??= desc.fields.toSorted((a, b) => a.number - b.number).map(fieldWriter);
    let text = '{';
    for (let index = 0; index < fields.length; index++)
      text = (fields[index] as FieldWriter)(text, value as unknown as Fields);
    return `${text}}`;
  };
}

function fieldWriter(field: DescField): FieldWriter {
  const write = compileValueWriter(field, messageWriter);
  const { localName } = field;
  const first = `${JSON.stringify(field.jsonName)}:`;
  const next = `,${first}`;
  // Only the opening brace is one character long.
  const after = (before: string, text: string): string => before + (before.length === 1 ? first : next) + text;
  if (field.fieldKind === 'list') return (before, message) => after(before, listText(message[localName], write));
  if (field.fieldKind === 'map') return (before, message) => after(before, mapText(message[localName], write));
  if (field.oneof !== undefined) {
    const group = field.oneof.localName;
    return (before, message) => {
      const chosen = message[group] as { readonly case: string | undefined; readonly value?: unknown };
      return chosen.case === localName ? after(before, write(chosen.value)) : before;
    };
  }
  if (field.presence === IMPLICIT) return (before, message) => after(before, write(message[localName]));
  const isRequired = field.presence === LEGACY_REQUIRED;
  return (before, message) => {
    const value = message[localName];
    // The prototype holds defaults of fields that are not set.
    if (value !== undefined && Object.hasOwn(message, localName)) return after(before, write(value));
    if (isRequired) throw schemaErrors.BAD_VALUE({ subject: String(field) });
    return before;
  };
}

function listText(value: unknown, write: ValueWriter): string {
  const items = value as readonly unknown[];
  if (items.length === 0) return '[]';
  let text = `[${write(items[0])}`;
  for (let index = 1; index < items.length; index++) text += `,${write(items[index])}`;
  return `${text}]`;
}

function mapText(value: unknown, write: ValueWriter): string {
  let text = '{';
  for (const key of Object.keys(value as object)) {
    text += `${text.length === 1 ? '' : ','}${JSON.stringify(key)}:${write((value as Fields)[key])}`;
  }
  return `${text}}`;
}

/** Types with a JSON form of their own. Times are frequent enough to be written here; the rest is left to the library. */
function wellKnownWriter(desc: DescMessage): ValueWriter | undefined {
  if (!desc.typeName.startsWith('google.protobuf.') || PLAIN_TYPES.has(desc.typeName)) return undefined;
  const write: ValueWriter = (value) =>
    JSON.stringify(toJson(desc, value as unknown as MessageShape<DescMessage>, EVERY_FIELD));
  if (desc.typeName !== 'google.protobuf.Timestamp') return write;
  return (value) => {
    const { seconds, nanos } = value as unknown as { readonly seconds: bigint; readonly nanos: number };
    const text = timestampText(Number(seconds), nanos);
    return text === undefined ? write(value) : `"${text}"`;
  };
}
