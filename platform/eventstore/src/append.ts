import type { Context, Runtime } from '@souk/kernel';
import { formatTraceparent } from '@souk/telemetry';
import { eventStoreErrors } from './errors.ts';
import type { EventMetadata, NewEvent } from './event.ts';
import type { Position } from './position.ts';

/**
 * `none`: the stream must not exist. `exists`: it must. `any`: whatever it is. A number: its version must be this; 0 is `none`.
 */
export type ExpectedVersion = 'none' | 'any' | 'exists' | number;

export interface Append {
  /** 1 to 255 characters. What stands before the first `-` is its category. */
  readonly stream: string;
  /** 1 to 500 and 1 MiB of JSON; all are appended or none. */
  readonly events: readonly NewEvent[];
  readonly expected: ExpectedVersion;
  readonly metadata?: EventMetadata;
}

/** What became of an append. */
export interface AppendResult {
  /** Of the stream after it. */
  readonly version: number;
  /** Of its last event. A projection that has come so far shows it. */
  readonly position: Position;
}

/** An append as it is sent: columns as items of PostgreSQL's array literals, so that a batch only joins texts. */
export interface Prepared {
  readonly stream: string;
  readonly expected: ExpectedVersion;
  readonly count: number;
  readonly streamItem: string;
  readonly metadataItem: string;
  readonly ids: readonly string[];
  readonly typeItems: string;
  readonly schemaItems: string;
  readonly dataItems: string;
  /** The caller gave ids: they may be there already. */
  readonly givenIds: boolean;
}

const MAX_EVENTS = 500;
const MAX_STREAM_CHARACTERS = 255;
const MAX_CHARACTERS = 1024 * 1024;
const MAX_SCHEMA_VERSION = 32_767;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** JSON can say these, PostgreSQL cannot: U+0000 and half a surrogate pair. Only where the backslash is not escaped itself. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;
const UNSTORABLE_WHY = 'holds U+0000 or half a surrogate pair, which PostgreSQL cannot store';

/** What {@link prepare} needs besides the append. */
export interface PrepareInit {
  readonly runtime: Runtime;
  readonly service: string | undefined;
  /** The version that events of a type are written in. */
  readonly schemaVersionOf: (type: string) => number;
}

/** @throws EVENTSTORE_INVALID_APPEND */
export function prepare({ runtime, service, schemaVersionOf }: PrepareInit, ctx: Context, append: Append): Prepared {
  const { stream, events, expected } = append;
  const why = problem(append);
  if (why !== undefined) throw invalid(stream, why);
  const metadata = JSON.stringify({ traceparent: formatTraceparent(ctx.trace), service, ...append.metadata });
  const ids: string[] = [];
  const items = { types: '', schemas: '', data: '' };
  let given = false;
  for (const { id, type, schemaVersion, data } of events) {
    const json: string | undefined = JSON.stringify(data);
    if (json === undefined) throw invalid(stream, `the data of ${type} is nothing that JSON can hold`);
    if (json.includes('\\u') && UNSTORABLE.test(json)) throw invalid(stream, `a text in ${type} ${UNSTORABLE_WHY}`);
    const comma = ids.length === 0 ? '' : ',';
    ids.push(id ?? runtime.ids.uuid());
    given ||= id !== undefined;
    items.types += comma + quoted(type);
    items.schemas += comma + (schemaVersion ?? schemaVersionOf(type));
    items.data += comma + quoted(json);
  }
  if (items.data.length > MAX_CHARACTERS)
    throw invalid(stream, `its events have more than ${MAX_CHARACTERS} characters of JSON`);
  return {
    stream,
    expected,
    count: events.length,
    streamItem: quoted(stream),
    metadataItem: quoted(metadata),
    ids,
    typeItems: items.types,
    schemaItems: items.schemas,
    dataItems: items.data,
    givenIds: given,
  };
}

/** An item of an array literal. */
const quoted = (text: string): string => `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`;

const invalid = (stream: string, why: string) => eventStoreErrors.INVALID_APPEND({ stream, why });

function problem({ stream, events, expected }: Append): string | undefined {
  if (stream === '' || stream.length > MAX_STREAM_CHARACTERS)
    return `its name must have 1 to ${MAX_STREAM_CHARACTERS} characters`;
  if (events.length === 0 || events.length > MAX_EVENTS) return `want 1 to ${MAX_EVENTS} events, got ${events.length}`;
  if (typeof expected === 'number' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    return `the expected version must be a whole number from 0, got ${expected}`;
  }
  if (stream.includes('\0')) return 'its name holds U+0000';
  for (const { id, type, schemaVersion } of events) {
    if (type === '' || type.includes('\0')) return 'the type of an event must be a text, without U+0000';
    if (id !== undefined && !UUID.test(id)) return 'the id of an event must be a UUID';
    if (schemaVersion === undefined) continue;
    if (!(Number.isInteger(schemaVersion) && schemaVersion >= 1 && schemaVersion <= MAX_SCHEMA_VERSION))
      return `a schema version must be a whole number from 1 to ${MAX_SCHEMA_VERSION}, got ${schemaVersion}`;
  }
  return undefined;
}
