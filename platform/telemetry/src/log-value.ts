import { isSoukError, type LogFields } from '@souk/kernel';
import { createKeyGuard, REDACTED, scrub } from './redaction.ts';

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_CHARACTERS = 8192;
const MAX_CAUSES = 5;

/** An error as a line shows it, with the chain of its causes. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  readonly reason?: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

export interface LogValues {
  /** A copy of both that can be written: redacted, without cycles, of bounded size; the later win. Never throws. */
  fields(bound: LogFields | undefined, fields?: LogFields | undefined): Record<string, unknown>;
}

export function createLogValues(): LogValues {
  const isSensitive = createKeyGuard();

  const record = (value: object, seen: readonly object[]): Record<string, unknown> => {
    const copy: Record<string, unknown> = {};
    let left = MAX_ITEMS;
    for (const key of Object.keys(value)) {
      if (left-- === 0) {
        copy['…'] = 'more';
        break;
      }
      copy[key] = isSensitive(key) ? REDACTED : plain((value as Record<string, unknown>)[key], seen);
    }
    return copy;
  };

  const plain = (value: unknown, seen: readonly object[]): unknown => {
    if (typeof value === 'string') return clean(value);
    if (typeof value === 'bigint') return String(value);
    if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error || isSoukError(value)) return loggedError(value);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (value instanceof URL) return scrub(value.href);
    if (seen.includes(value)) return '[circular]';
    if (seen.length === MAX_DEPTH) return '[deeper]';
    const path = [...seen, value];
    if (value instanceof Map) return record(Object.fromEntries(value), path);
    if (value instanceof Set || Array.isArray(value)) {
      return [...value].slice(0, MAX_ITEMS).map((item) => plain(item, path));
    }
    return record(value, path);
  };

  return {
    fields: (bound, fields) => {
      try {
        return record({ ...bound, ...fields }, []);
      } catch (error) {
        // A getter that throws must not turn a log line into a failed call.
        return { unwritable: error instanceof Error ? error.name : 'unknown' };
      }
    },
  };
}

/** What lies a little beyond the cut is looked at too: a secret that is cut in half would not be recognised. */
const clean = (text: string): string => {
  const safe = scrub(text.length > MAX_CHARACTERS ? text.slice(0, MAX_CHARACTERS + 512) : text);
  return safe.length > MAX_CHARACTERS ? `${safe.slice(0, MAX_CHARACTERS)}…` : safe;
};

/** Only what is listed here is written: fields that a library adds to its errors may hold anything. */
export function loggedError(error: unknown, depth = 0): LoggedError {
  if (typeof error !== 'object' || error === null) return { type: typeof error, message: clean(String(error)) };
  const { name, message, stack, cause, code, reason } = error as Partial<Record<string, unknown>>;
  const deeper = cause !== undefined && cause !== null && depth < MAX_CAUSES;
  return {
    type: typeof name === 'string' ? name : 'Error',
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    message: clean(typeof message === 'string' ? message : ''),
    ...(typeof stack === 'string' ? { stack: clean(stack) } : {}),
    ...(deeper ? { cause: loggedError(cause, depth + 1) } : {}),
  };
}
