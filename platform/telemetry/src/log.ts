import type { Clock, LogFields, Logger, TraceContext } from '@souk/kernel';
import { type DestinationStream, pino } from 'pino';
import { formatForPeople, LOG_LEVELS, type LogLevel, type LogLine } from './log-format.ts';
import { createLogValues, type LogValues } from './log-value.ts';
import { scrub } from './redaction.ts';

/** Takes whole lines, each with its line end. */
export interface LogDestination {
  write(line: string): void;
  /** Writes out what is buffered, before the process ends. */
  flushSync?(): void;
}

export interface LogOptions {
  readonly clock: Clock;
  /** `json`: a JSON object per line, as pino writes it. `pretty`: for people. */
  readonly format: 'json' | 'pretty';
  /** Lines below are dropped before anything is made of them. */
  readonly level: LogLevel;
  /** @default standard output, not waited for */
  readonly destination?: LogDestination | undefined;
  /** Whether `pretty` uses colours. */
  readonly colour?: boolean | undefined;
}

export interface Log {
  /** Each line of the logger says the service. */
  forService(service: string): Logger;
  flush(): void;
}

/** Field names that a line uses itself: a field of that name gets a `_` behind it rather than overwrite or repeat it. */
const RESERVED = ['level', 'time', 'msg', 'service', 'trace_id', 'span_id'];

export function createLog(options: LogOptions): Log {
  const { clock, level } = options;
  const destination: LogDestination = options.destination ?? pino.destination({ dest: 1, sync: false });
  const write =
    options.format === 'json'
      ? jsonWriter(destination, level)
      : (line: LogLine) => destination.write(formatForPeople(line, options.colour ?? false));
  const target: Target = { clock, write, values: createLogValues(), threshold: LOG_LEVELS[level] };
  return {
    forService: (service) => new ServiceLogger(target, service, undefined, undefined),
    flush: () => destination.flushSync?.(),
  };
}

function jsonWriter(destination: LogDestination, level: LogLevel): (line: LogLine) => void {
  // `time` is ours, so that a virtual clock is seen; redaction is ours, because pino's does not reach into unknown depths.
  // Its serialiser would take our plain `err` for an error and change it.
  const serializers = { err: (err: unknown) => err };
  const out = pino({ base: null, timestamp: false, level, serializers }, destination as DestinationStream);
  return ({ time, message, service, traceId, spanId, fields, ...line }) => {
    const ids = traceId === undefined ? {} : { trace_id: traceId, span_id: spanId };
    out[line.level]({ time, service, ...ids, ...fields }, message);
  };
}

interface Target {
  readonly clock: Clock;
  readonly write: (line: LogLine) => void;
  readonly values: LogValues;
  readonly threshold: number;
}

/** Cheap to make: nothing is copied or redacted before a line is written. */
class ServiceLogger implements Logger {
  readonly #target: Target;
  readonly #service: string;
  readonly #fields: LogFields | undefined;
  readonly #trace: TraceContext | undefined;

  constructor(target: Target, service: string, fields: LogFields | undefined, trace: TraceContext | undefined) {
    this.#target = target;
    this.#service = service;
    this.#fields = fields;
    this.#trace = trace;
  }

  debug(message: string, fields?: LogFields): void {
    this.#line('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#line('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#line('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#line('error', message, fields);
  }

  with(fields: LogFields): Logger {
    return new ServiceLogger(this.#target, this.#service, { ...this.#fields, ...fields }, this.#trace);
  }

  forTrace(trace: TraceContext): Logger {
    return new ServiceLogger(this.#target, this.#service, this.#fields, trace);
  }

  #line(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const target = this.#target;
    if (LOG_LEVELS[level] < target.threshold) return;
    target.write({
      level,
      time: target.clock.now(),
      message: scrub(message),
      service: this.#service,
      traceId: this.#trace?.traceId,
      spanId: this.#trace?.spanId,
      fields: withoutReserved(target.values.fields(this.#fields, fields)),
    });
  }
}

function withoutReserved(fields: Record<string, unknown>): Record<string, unknown> {
  if (!RESERVED.some((name) => name in fields)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [RESERVED.includes(key) ? `${key}_` : key, value]),
  );
}
