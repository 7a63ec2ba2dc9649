import type { Code } from './code.ts';
import { isSoukError, type Retry, SoukError, type Violation } from './souk-error.ts';

type RetryKind = Retry['kind'];

/** One entry of a catalogue. `text` may hold `{name}` placeholders, which become required parameters. */
export interface ErrorDefinition {
  readonly code: Code;
  readonly text: string;
  /** @default 'never' */
  readonly retry?: RetryKind;
  /** REST status, where the code's own says too little. */
  readonly http?: number;
}

type Placeholders<TText extends string> = TText extends `${string}{${infer TName}}${infer TRest}`
  ? TName | Placeholders<TRest>
  : never;

type Parameters<TText extends string> = { readonly [K in Placeholders<TText>]: string | number };

type RetryOf<TDefinition extends ErrorDefinition> = TDefinition['retry'] extends RetryKind
  ? Extract<Retry, { kind: TDefinition['retry'] }>
  : { readonly kind: 'never' };

/** What an error carries beyond its text. */
export interface ErrorExtras {
  readonly cause?: unknown;
  readonly violations?: readonly Violation[];
  readonly details?: Readonly<Record<string, string>>;
  /** Wait before a retry, in milliseconds. Only for entries with `retry: 'later'`. */
  readonly afterMs?: number;
}

type ErrorFactory<TDefinition extends ErrorDefinition> = keyof Parameters<TDefinition['text']> extends never
  ? (parameters?: Record<string, never>, extras?: ErrorExtras) => SoukError<RetryOf<TDefinition>>
  : (parameters: Parameters<TDefinition['text']>, extras?: ErrorExtras) => SoukError<RetryOf<TDefinition>>;

export type ErrorCatalogue<TDefinitions extends Record<string, ErrorDefinition>> = {
  readonly [K in keyof TDefinitions]: ErrorFactory<TDefinitions[K]>;
};

/**
 * All errors of a package in one place.
 *
 * @param prefix Upper-case name of the package; `ORDERS` and the key `NOT_FOUND` give the reason `ORDERS_NOT_FOUND`.
 * @returns A factory per key: `orderErrors.NOT_FOUND({ id })`.
 */
export function defineErrors<const TDefinitions extends Record<string, ErrorDefinition>>(
  prefix: string,
  definitions: TDefinitions,
): ErrorCatalogue<TDefinitions> {
  const factories = Object.entries(definitions).map(([key, definition]) => {
    const make = (parameters: Record<string, string | number> = {}, extras: ErrorExtras = {}) =>
      new SoukError({
        code: definition.code,
        reason: `${prefix}_${key}`,
        message: definition.text.replace(/\{(\w+)\}/g, (_, name: string) => String(parameters[name])),
        retry: toRetry(definition.retry ?? 'never', extras.afterMs),
        httpStatus: definition.http,
        violations: extras.violations,
        details: extras.details,
        cause: extras.cause,
      });
    return [key, make] as const;
  });
  return Object.freeze(Object.fromEntries(factories)) as ErrorCatalogue<TDefinitions>;
}

const toRetry = (kind: RetryKind, afterMs: number | undefined): Retry =>
  kind === 'later' && afterMs !== undefined ? { kind, afterMs } : { kind };

/** Errors that any package may meet. */
export const kernelErrors = defineErrors('SOUK', {
  INTERNAL: { code: 'internal', text: 'something went wrong on our side' },
  CANCELED: { code: 'canceled', text: 'the caller gave up' },
  DEADLINE_EXCEEDED: { code: 'deadline_exceeded', text: 'the time for this call is over', retry: 'unknownOutcome' },
  QUEUE_FULL: { code: 'resource_exhausted', text: '{queue} is full', retry: 'later' },
  QUEUE_CLOSED: { code: 'unavailable', text: '{queue} is closed', retry: 'later' },
  NOT_STARTED: { code: 'unavailable', text: '{part} is not running', retry: 'later' },
  ALREADY_STARTED: { code: 'internal', text: '{part} has been started before' },
  START_FAILED: { code: 'unavailable', text: '{part} did not start: {why}' },
  STOP_TIMED_OUT: { code: 'deadline_exceeded', text: '{part} did not stop within {ms} ms' },
  UNREACHABLE: { code: 'internal', text: 'a case was not handled: {what}' },
});

/**
 * Makes a {@link SoukError} of anything that was thrown. What is not ours becomes `internal`, with the original as its cause:
 * the text a client sees never depends on what a library wrote.
 */
export function fromUnknown(thrown: unknown): SoukError {
  if (isSoukError(thrown)) return thrown;
  const name = thrown instanceof Error ? thrown.name : '';
  if (name === 'AbortError') return kernelErrors.CANCELED({}, { cause: thrown });
  if (name === 'TimeoutError') return kernelErrors.DEADLINE_EXCEEDED({}, { cause: thrown });
  return kernelErrors.INTERNAL({}, { cause: thrown });
}

/** Closes a switch over a union: a case that is added and not handled is a compile error. */
export function unreachable(value: never): never {
  throw kernelErrors.UNREACHABLE({ what: String(value) });
}
