import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { ScalarType } from '@bufbuild/protobuf';
import type { Violation } from '@souk/kernel';
import { fieldRules } from '@souk/schema';
import { isTextOrNumber } from './server-sent-events.ts';

type JsonObject = Record<string, unknown>;

const LAST_EVENT_ID = 'last-event-id';

/** The fields on the way to a value: `a.b` gives the fields `a` and `b`. */
export type FieldPath = readonly DescField[];

/** Resolves a dotted path by proto or JSON names; undefined when a step is not a field of a message. */
export function resolveFieldPath(message: DescMessage, dotted: string): FieldPath | undefined {
  const path: DescField[] = [];
  let current: DescMessage | undefined = message;
  for (const name of dotted.split('.')) {
    const field: DescField | undefined = current?.fields.find((each) => each.name === name || each.jsonName === name);
    if (field === undefined) return undefined;
    path.push(field);
    current = field.fieldKind === 'message' ? field.message : undefined;
  }
  return path;
}

const pointerOf = (path: FieldPath): string => path.map((field) => `/${field.jsonName}`).join('');

const holds = (json: JsonObject, field: DescField): boolean =>
  Object.hasOwn(json, field.jsonName) || Object.hasOwn(json, field.name);

/** Puts a value of the path into the request. The body may repeat it, but not contradict it. */
export function bindPathValue(json: JsonObject, path: FieldPath, text: string, out: Violation[]): void {
  const target = parentOf(json, path);
  const field = path.at(-1);
  if (target === undefined || field === undefined) return;
  const repeated = target[field.jsonName] ?? target[field.name];
  if (repeated !== undefined && repeated !== '' && String(repeated) !== text) {
    out.push({ pointer: pointerOf(path), detail: 'differs from the address' });
  }
  delete target[field.name];
  target[field.jsonName] = scalarOf(field, text);
}

/** Puts the values that a query gives for one field into the request. */
export function bindQueryValues(json: JsonObject, path: FieldPath, values: readonly string[], out: Violation[]): void {
  const field = path.at(-1);
  const target = parentOf(json, path);
  if (field === undefined || target === undefined) return;
  const isList = field.fieldKind === 'list';
  if (holds(target, field) || (!isList && values.length > 1)) {
    out.push({ pointer: pointerOf(path), detail: 'is given twice' });
    return;
  }
  const decoded = values.map((value) => scalarOf(field, value));
  target[field.jsonName] = isList ? decoded : decoded[0];
}

/** Fields that may come from headers. */
export function headerFields(message: DescMessage): ReadonlyMap<string, DescField> {
  const fields = message.fields.filter((field) => fieldRules(field).header !== '');
  return new Map(fields.map((field) => [fieldRules(field).header.toLowerCase(), field]));
}

/**
 * The field of a stream's request that says after which event to go on: the one that the contract binds to the header `last-event-id`, or
 * `last_event_id`, or `after`; a text or a number.
 */
export function resumeField(message: DescMessage): DescField | undefined {
  const bound = message.fields.find((field) => fieldRules(field).header.toLowerCase() === LAST_EVENT_ID);
  const named = ['last_event_id', 'after'].map((name) => message.fields.find((field) => field.name === name));
  return [bound, ...named].find(isTextOrNumber);
}

/** What a client has last seen holds also against what its address says: it comes back to the address that it began with. */
export function bindLastEventId(
  json: JsonObject,
  field: DescField | undefined,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): void {
  const value = headers[LAST_EVENT_ID];
  if (field === undefined || typeof value !== 'string' || value === '') return;
  delete json[field.name];
  json[field.jsonName] = scalarOf(field, value);
}

/** Takes what body, path and query have not set from the headers. */
export function bindHeaders(
  json: JsonObject,
  fields: ReadonlyMap<string, DescField>,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): void {
  for (const [name, field] of fields) {
    const value = headers[name];
    if (typeof value === 'string' && !holds(json, field)) json[field.jsonName] = scalarOf(field, value);
  }
}

/** The object that holds the last field of a path, made on the way. Undefined when the body has something else there. */
function parentOf(json: JsonObject, path: FieldPath): JsonObject | undefined {
  let current: JsonObject = json;
  for (const field of path.slice(0, -1)) {
    const next = current[field.jsonName] ?? current[field.name] ?? {};
    if (typeof next !== 'object' || Array.isArray(next)) return undefined;
    if (!holds(current, field)) current[field.jsonName] = next;
    current = next as JsonObject;
  }
  return current;
}

/** Text in the JSON form that the field's decoder wants; what does not fit is left for the decoder to refuse. */
function scalarOf(field: DescField, text: string): unknown {
  if (field.scalar === ScalarType.BOOL) return text === 'true' ? true : text === 'false' ? false : text;
  if (field.enum !== undefined && /^[0-9]{1,9}$/.test(text)) return Number(text);
  return text;
}
