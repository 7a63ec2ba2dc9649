import { type DescEnum, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { type Contracts, rulesOf } from './contracts.ts';
import type { Json, JsonObject } from './json.ts';

const UUID_V7 = '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
const SAMPLE_UUID = '01980c5e-7d2a-7b3c-9d4e-5f60718293a4';
const WIDE = new Set([ScalarType.INT64, ScalarType.UINT64, ScalarType.SINT64, ScalarType.FIXED64, ScalarType.SFIXED64]);
const FORMATS: { readonly [format: string]: JsonObject } = {
  email: { format: 'email' },
  uri: { format: 'uri' },
  currency: { pattern: '^[A-Z]{3}$' },
  country: { pattern: '^[A-Z]{2}$' },
  locale: {},
};

/** An example of an id with this prefix. */
export const sampleId = (prefix: string): string => `${prefix}_${SAMPLE_UUID}`;

/** Example of a field as it stands in its contract, parsed. */
export function exampleOf(field: DescField): Json | undefined {
  const rules = rulesOf(field);
  if (rules?.example) return JSON.parse(rules.example);
  if (rules?.id) return sampleId(rules.id);
  return undefined;
}

/** Name of a message or enum among the schemas: its full name without the package. */
export const schemaName = (desc: DescMessage | DescEnum): string =>
  desc.typeName.slice(desc.file.proto.package.length + 1);

const reference = (desc: DescMessage | DescEnum): JsonObject => ({ $ref: `#/components/schemas/${schemaName(desc)}` });

function scalarSchema(scalar: ScalarType): JsonObject {
  if (WIDE.has(scalar)) return { type: 'string', format: 'int64', pattern: '^-?[0-9]{1,19}$' };
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.STRING:
      return { type: 'string' };
    case ScalarType.BYTES:
      return { type: 'string', contentEncoding: 'base64' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number' };
    default:
      return { type: 'integer', format: 'int32' };
  }
}

/** Types whose JSON is not an object of their fields. A `Value` is any JSON: the empty schema. */
const WELL_KNOWN: { readonly [typeName: string]: JsonObject } = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Value': {},
  'google.protobuf.Struct': { type: 'object' },
};

const messageSchema = (desc: DescMessage): JsonObject => WELL_KNOWN[desc.typeName] ?? reference(desc);

/** Keywords for one value of the field: an element, where the field is a list. */
function valueKeywords(field: DescField): JsonObject {
  const rules = rulesOf(field);
  if (rules === undefined) return {};
  const scalar = field.scalar;
  const out: JsonObject = {};
  if (scalar === ScalarType.STRING) {
    if (rules.minLen > 0) out.minLength = rules.minLen;
    if (rules.maxLen > 0) out.maxLength = rules.maxLen;
    if (rules.pattern) out.pattern = `^(?:${rules.pattern})$`;
    if (rules.id) out.pattern = `^${rules.id}_${UUID_V7}$`;
    if (rules.in.length > 0) out.enum = [...rules.in];
    if (rules.required && field.fieldKind === 'scalar' && rules.minLen === 0) out.minLength = 1;
    Object.assign(out, FORMATS[rules.format]);
  } else if (scalar !== undefined && !WIDE.has(scalar)) {
    if (rules.gte !== undefined) out.minimum = Number(rules.gte);
    if (rules.lte !== undefined) out.maximum = Number(rules.lte);
  }
  return out;
}

/** What the keywords of JSON Schema cannot say. */
function remarks(field: DescField): string {
  const rules = rulesOf(field);
  if (rules === undefined || field.scalar === undefined || !WIDE.has(field.scalar)) return '';
  if (rules.gte !== undefined && rules.lte !== undefined) return ` From ${rules.gte} to ${rules.lte}.`;
  if (rules.gte !== undefined) return ` At least ${rules.gte}.`;
  return rules.lte === undefined ? '' : ` At most ${rules.lte}.`;
}

/** Schema of a field's value in the JSON mapping of protobuf, with its rules as keywords. */
export function fieldSchema(field: DescField, contracts: Contracts): JsonObject {
  const rules = rulesOf(field);
  const description = contracts.comment(field) + remarks(field);
  const example = exampleOf(field);
  const common: JsonObject = {
    description,
    ...(rules?.sensitive ? { 'x-sensitive': true } : {}),
    ...(example === undefined ? {} : { examples: [example] }),
  };
  const one = (): JsonObject => {
    if (field.scalar !== undefined) return { ...scalarSchema(field.scalar), ...valueKeywords(field) };
    if (field.enum !== undefined) return reference(field.enum);
    return field.message === undefined ? {} : messageSchema(field.message);
  };
  const fewest = rules === undefined ? 0 : Math.max(rules.minItems, rules.required ? 1 : 0);
  const most = rules?.maxItems ?? 0;
  if (field.fieldKind === 'list') {
    const size = { ...(fewest > 0 ? { minItems: fewest } : {}), ...(most > 0 ? { maxItems: most } : {}) };
    return { type: 'array', items: one(), ...size, ...common };
  }
  if (field.fieldKind === 'map') {
    const size = { ...(fewest > 0 ? { minProperties: fewest } : {}), ...(most > 0 ? { maxProperties: most } : {}) };
    return { type: 'object', additionalProperties: one(), ...size, ...common };
  }
  return { ...one(), ...common };
}

/** Schema of a message, without the fields named. */
export function objectSchema(message: DescMessage, contracts: Contracts, without: ReadonlySet<string>): JsonObject {
  const fields = message.fields.filter((field) => !without.has(field.name));
  const required = fields.filter((field) => rulesOf(field)?.required).map((field) => field.jsonName);
  return {
    type: 'object',
    description: contracts.comment(message),
    ...(fields.length > 0
      ? { properties: Object.fromEntries(fields.map((field) => [field.jsonName, fieldSchema(field, contracts)])) }
      : {}),
    ...(required.length > 0 ? { required } : {}),
  };
}

/** Schema of an enum: its values by name, each explained. */
export function enumSchema(desc: DescEnum, contracts: Contracts): JsonObject {
  const lines = desc.values.map((value) => `- \`${value.name}\`: ${contracts.comment(value)}`);
  return {
    type: 'string',
    description: `${contracts.comment(desc)}\n\n${lines.join('\n')}`,
    enum: desc.values.map((value) => value.name),
  };
}
