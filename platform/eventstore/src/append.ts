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

/** An append as it is sent. */
export interface Prepared {
  readonly stream: string;
  readonly expected: ExpectedVersion;
  /** All but `l` and `k`, without its first brace. */
  readonly body: string;
  /** The caller gave ids: they may be there already. */
  readonly givenIds: boolean;
}

const MAX_EVENTS = 500;
const MAX_STREAM_CHARACTERS = 255;
const MAX_CHARACTERS = 1024 * 1024;
const MAX_SCHEMA_VERSION = 32_767;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** JSON can say these, PostgreSQL cannot: U+0000 and half a surrogate pair. Only where the backslash is not escaped itself. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89ab])/;

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
  const metadata = { traceparent: formatTraceparent(ctx.trace), service, ...append.metadata };
  let parts = '';
  for (const event of events) {
    const { id, type, schemaVersion } = event;
    const data: string | undefined = JSON.stringify(event.data);
    if (data === undefined) throw invalid(stream, `the data of ${type} is nothing that JSON can hold`);
    const head = `"i":"${id ?? runtime.ids.uuid()}","t":${JSON.stringify(type)},"v":${schemaVersion ?? schemaVersionOf(type)}`;
    parts += `${parts === '' ? '' : ','}{${head},"d":${data}}`;
  }
  const wanted = expected === 'none' ? 0 : typeof expected === 'number' ? expected : null;
  const body = `"s":${JSON.stringify(stream)},"e":${wanted},"x":${expected === 'exists'},"c":${events.length},"m":${JSON.stringify(metadata)},"v":[${parts}]}`;
  if (body.length > MAX_CHARACTERS)
    throw invalid(stream, `its events have more than ${MAX_CHARACTERS} characters of JSON`);
  if (body.includes('\\u') && UNSTORABLE.test(body)) {
    throw invalid(stream, 'a text in it holds U+0000 or half a surrogate pair, which PostgreSQL cannot store');
  }
  return { stream, expected, body, givenIds: events.some(({ id }) => id !== undefined) };
}

const invalid = (stream: string, why: string) => eventStoreErrors.INVALID_APPEND({ stream, why });

function problem({ stream, events, expected }: Append): string | undefined {
  if (stream === '' || stream.length > MAX_STREAM_CHARACTERS)
    return `its name must have 1 to ${MAX_STREAM_CHARACTERS} characters`;
  if (events.length === 0 || events.length > MAX_EVENTS) return `want 1 to ${MAX_EVENTS} events, got ${events.length}`;
  if (typeof expected === 'number' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    return `the expected version must be a whole number from 0, got ${expected}`;
  }
  for (const { id, schemaVersion } of events) {
    if (id !== undefined && !UUID.test(id)) return 'the id of an event must be a UUID';
    if (schemaVersion === undefined) continue;
    if (!(Number.isInteger(schemaVersion) && schemaVersion >= 1 && schemaVersion <= MAX_SCHEMA_VERSION))
      return `a schema version must be a whole number from 1 to ${MAX_SCHEMA_VERSION}, got ${schemaVersion}`;
  }
  return undefined;
}
