import { BinaryReader, BinaryWriter, base64Decode, base64Encode, WireType } from '@bufbuild/protobuf/wire';
import { isCode, type Retry, SoukError, type Violation } from '@souk/kernel';
import { codeOfStatus } from './http-status.ts';
import { toWireError } from './wire-error.ts';

// An error in the Connect protocol is { code, message, details }. What else there is to say travels in the standard details of
// google.rpc, which any client can read: ErrorInfo (reason, facts), BadRequest (violations), RetryInfo (when to come back).

const ERROR_INFO = 'google.rpc.ErrorInfo';
const BAD_REQUEST = 'google.rpc.BadRequest';
const RETRY_INFO = 'google.rpc.RetryInfo';
const DOMAIN = 'souk';
/** Facts of ours among the facts of the error; `@` keeps them apart. */
const RETRY_KEY = '@retry';
const STATUS_KEY = '@status';

interface Detail {
  readonly type: string;
  /** Base64 without padding. */
  readonly value: string;
}

export interface ConnectErrorBody {
  readonly code: string;
  readonly message: string;
  readonly details: readonly Detail[];
}

export function toConnectError(error: SoukError): ConnectErrorBody {
  const { code, reason, message, retry, httpStatus, violations, details } = toWireError(error);
  const facts: Record<string, string> = { ...details, [RETRY_KEY]: retry.kind };
  if (httpStatus !== undefined) facts[STATUS_KEY] = String(httpStatus);
  const entries = [detail(ERROR_INFO, writeErrorInfo(reason, facts))];
  if (violations.length > 0) entries.push(detail(BAD_REQUEST, writeBadRequest(violations)));
  if (retry.kind === 'later' && retry.afterMs !== undefined)
    entries.push(detail(RETRY_INFO, writeRetryInfo(retry.afterMs)));
  return { code, message, details: entries };
}

/** Reads what {@link toConnectError} writes, and what servers that are not ours write. */
export function fromConnectError(body: unknown, status: number): SoukError {
  const { code, message, details } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const known = isCode(code) ? code : codeOfStatus(status);
  const list = Array.isArray(details) ? (details as Detail[]) : [];
  const read = <T>(type: string, decode: (bytes: Uint8Array) => T): T | undefined => {
    const found = list.find((each) => each?.type === type && typeof each.value === 'string');
    return found && decode(base64Decode(found.value));
  };
  const info = read(ERROR_INFO, readErrorInfo);
  const { [RETRY_KEY]: kind, [STATUS_KEY]: httpStatus, ...facts } = info?.facts ?? {};
  return new SoukError({
    code: known,
    reason: info?.reason ?? `RPC_REMOTE_${known.toUpperCase()}`,
    message: typeof message === 'string' ? message : 'the other side said no more',
    retry: toRetry(kind ?? (known === 'unavailable' ? 'unknownOutcome' : 'never'), read(RETRY_INFO, readRetryInfo)),
    httpStatus: httpStatus === undefined ? undefined : Number(httpStatus),
    violations: read(BAD_REQUEST, readBadRequest),
    details: facts,
  });
}

function toRetry(kind: string, afterMs: number | undefined): Retry {
  if (kind === 'later') return afterMs === undefined ? { kind } : { kind, afterMs };
  return kind === 'unknownOutcome' ? { kind } : { kind: 'never' };
}

const detail = (type: string, writer: BinaryWriter): Detail => ({
  type,
  value: base64Encode(writer.finish(), 'std_raw'),
});

function writeErrorInfo(reason: string, facts: Readonly<Record<string, string>>): BinaryWriter {
  const writer = new BinaryWriter();
  text(writer, 1, reason);
  text(writer, 2, DOMAIN);
  for (const [key, value] of Object.entries(facts)) {
    writer.tag(3, WireType.LengthDelimited).fork();
    text(writer, 1, key);
    text(writer, 2, value);
    writer.join();
  }
  return writer;
}

function writeBadRequest(violations: readonly Violation[]): BinaryWriter {
  const writer = new BinaryWriter();
  for (const { pointer, detail: wanted } of violations) {
    writer.tag(1, WireType.LengthDelimited).fork();
    text(writer, 1, pointer);
    text(writer, 2, wanted);
    writer.join();
  }
  return writer;
}

function writeRetryInfo(afterMs: number): BinaryWriter {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.Varint).int64(Math.floor(afterMs / 1000));
  writer.tag(2, WireType.Varint).int32(Math.round((afterMs % 1000) * 1e6));
  return writer.join();
}

const text = (writer: BinaryWriter, field: number, value: string) =>
  writer.tag(field, WireType.LengthDelimited).string(value);

/** Calls `visit` for each field of a message; what it does not read is skipped. */
function readFields(bytes: Uint8Array, visit: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (!visit(field, reader)) reader.skip(type, field);
  }
}

function readPair(bytes: Uint8Array): [first: string, second: string] {
  const pair: [string, string] = ['', ''];
  readFields(bytes, (field, reader) => {
    if (field !== 1 && field !== 2) return false;
    pair[field - 1] = reader.string();
    return true;
  });
  return pair;
}

function readErrorInfo(bytes: Uint8Array): { reason: string; facts: Record<string, string> } {
  let reason = '';
  const facts: [string, string][] = [];
  readFields(bytes, (field, reader) => {
    if (field === 1) reason = reader.string();
    else if (field === 3) facts.push(readPair(reader.bytes()));
    else return false;
    return true;
  });
  return { reason, facts: Object.fromEntries(facts) };
}

function readBadRequest(bytes: Uint8Array): Violation[] {
  const violations: Violation[] = [];
  readFields(bytes, (field, reader) => {
    if (field !== 1) return false;
    const [pointer, wanted] = readPair(reader.bytes());
    violations.push({ pointer, detail: wanted });
    return true;
  });
  return violations;
}

function readRetryInfo(bytes: Uint8Array): number {
  let afterMs = 0;
  readFields(bytes, (field, reader) => {
    if (field !== 1) return false;
    readFields(reader.bytes(), (part, inner) => {
      if (part === 1) afterMs += Number(inner.int64()) * 1000;
      else if (part === 2) afterMs += inner.int32() / 1e6;
      else return false;
      return true;
    });
    return true;
  });
  return afterMs;
}
