import { type Code, type Context, fromUnknown, type Runtime, type SoukError, type TraceContext } from '@souk/kernel';
import { createKeyGuard, REDACTED } from './redaction.ts';
import type { SpanEvent, SpanRecord, SpanSink } from './span-record.ts';
import type { Attributes, Span, SpanKind, SpanOptions, Tracer } from './tracer.ts';

export interface TracerOptions {
  readonly service: string;
  readonly runtime: Runtime;
  /** undefined: nobody listens, so spans are not made. */
  readonly sink: SpanSink | undefined;
  /** True when a trace that begins here is kept. Traces that began elsewhere follow their parent's decision. */
  readonly keeps: (traceId: string) => boolean;
}

const MAX_ATTRIBUTES = 128;
const MAX_EVENTS = 128;
const MAX_LINKS = 128;
const MAX_CHARACTERS = 4096;
/** Beyond this distance the clock was set, and spans take the new time. */
const CLOCK_STEP_MS = 500;

/** The caller's own mistakes: they do not make a server's span an error. */
const CALLER_FAULTS: ReadonlySet<Code> = new Set<Code>([
  'canceled',
  'invalid_argument',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unauthenticated',
]);

export function createTracer(options: TracerOptions): Tracer {
  const { sink, keeps } = options;
  if (sink === undefined) return untracedTracer;
  const environment: Environment = {
    service: options.service,
    runtime: options.runtime,
    sink,
    isSensitive: createKeyGuard(),
    epochMs: epochReader(options.runtime),
  };
  const kept = (trace: TraceContext): boolean => trace.sampled && (trace.root !== true || keeps(trace.traceId));
  const start = (ctx: Context, name: string, given: SpanOptions = {}): Span =>
    kept(ctx.trace) ? new RecordedSpan(environment, ctx.trace, name, given) : droppedSpan(ctx.trace);
  return {
    start,
    run: async (ctx, name, given, work) => {
      const span = start(ctx, name, given);
      const inner = span.trace === ctx.trace ? ctx : ctx.with({ trace: span.trace });
      try {
        return await work(inner, span);
      } catch (error) {
        span.fail(fromUnknown(error));
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

const ignore = (): void => {};

const emptySpan = (trace: TraceContext): Span => ({ trace, set: ignore, event: ignore, fail: ignore, end: ignore });

/** Nobody listens in this process: the trace goes through unchanged, whoever comes next decides. */
const untracedTracer: Tracer = {
  start: (ctx) => emptySpan(ctx.trace),
  run: async (ctx, _name, _options, work) => work(ctx, emptySpan(ctx.trace)),
};

/** The decision not to keep a trace is handed on, so that nobody keeps a part of it. */
const droppedSpan = (trace: TraceContext): Span =>
  emptySpan(trace.sampled ? { traceId: trace.traceId, spanId: trace.spanId, sampled: false } : trace);

interface Environment {
  readonly service: string;
  readonly runtime: Runtime;
  readonly sink: SpanSink;
  readonly isSensitive: (key: string) => boolean;
  /** Milliseconds since the epoch with fractions, for a reading of the monotonic clock. */
  readonly epochMs: (monotonicMs: number) => number;
}

/** The wall clock has whole milliseconds only: the monotonic one is laid over it, so that spans of a trace sort. */
function epochReader({ clock }: Runtime): (monotonicMs: number) => number {
  let anchorMs = clock.now() - clock.monotonicMs();
  return (monotonicMs) => {
    const offMs = clock.now() - clock.monotonicMs() - anchorMs;
    if (Math.abs(offMs) > CLOCK_STEP_MS) anchorMs += offMs;
    return anchorMs + monotonicMs;
  };
}

class RecordedSpan implements Span {
  readonly trace: TraceContext;
  readonly #environment: Environment;
  readonly #parentSpanId: string | undefined;
  readonly #name: string;
  readonly #kind: SpanKind;
  readonly #links: readonly TraceContext[];
  readonly #startMonotonicMs: number;
  readonly #startMs: number;
  readonly #attributes: Record<string, string | number | boolean> = {};
  #attributeCount = 0;
  #events: SpanEvent[] | undefined;
  #failure: SoukError | undefined;
  #ended = false;

  constructor(environment: Environment, parent: TraceContext, name: string, options: SpanOptions) {
    const { runtime } = environment;
    this.#environment = environment;
    this.#parentSpanId = parent.root ? undefined : parent.spanId;
    this.#name = name;
    this.#kind = options.kind ?? 'internal';
    this.#links = options.links ?? [];
    this.#startMonotonicMs = runtime.clock.monotonicMs();
    this.#startMs = environment.epochMs(this.#startMonotonicMs);
    const { buffer, byteOffset, length } = runtime.random.bytes(8);
    const spanId = Buffer.from(buffer, byteOffset, length).toString('hex');
    const { traceId, tracestate } = parent;
    this.trace = { traceId, spanId, sampled: true, ...(tracestate === undefined ? {} : { tracestate }) };
    if (options.attributes !== undefined) {
      for (const key in options.attributes) this.set(key, options.attributes[key] as string | number | boolean);
    }
  }

  set(key: string, value: string | number | boolean): void {
    if (this.#ended) return;
    if (!(key in this.#attributes) && ++this.#attributeCount > MAX_ATTRIBUTES) return;
    this.#attributes[key] = this.#safe(key, value);
  }

  event(name: string, attributes: Attributes = {}): void {
    if (this.#ended) return;
    this.#events ??= [];
    if (this.#events.length === MAX_EVENTS) return;
    const safe = Object.entries(attributes).map(([key, value]) => [key, this.#safe(key, value)]);
    const atMs = this.#startMs + this.#elapsedMs();
    this.#events.push({ name, atMs, attributes: Object.fromEntries(safe) });
  }

  fail(error: SoukError): void {
    this.#failure = error;
  }

  end(): void {
    if (this.#ended) return;
    const durationMs = this.#elapsedMs();
    const failure = this.#failure;
    const isError = failure !== undefined && !(this.#kind === 'server' && CALLER_FAULTS.has(failure.code));
    if (failure !== undefined) this.set(isError ? 'error.type' : 'souk.refusal', failure.reason);
    this.#ended = true;
    const { traceId, spanId, tracestate } = this.trace;
    const record: SpanRecord = {
      service: this.#environment.service,
      traceId,
      spanId,
      parentSpanId: this.#parentSpanId,
      tracestate,
      name: this.#name,
      kind: this.#kind,
      startMs: this.#startMs,
      durationMs,
      attributes: this.#attributes,
      events: this.#events ?? [],
      links: this.#links.slice(0, MAX_LINKS).map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
      status: isError ? 'error' : 'unset',
      statusMessage: isError ? failure.message : undefined,
    };
    this.#environment.sink.take(record);
  }

  #elapsedMs(): number {
    return this.#environment.runtime.clock.monotonicMs() - this.#startMonotonicMs;
  }

  #safe(key: string, value: string | number | boolean): string | number | boolean {
    if (this.#environment.isSensitive(key)) return REDACTED;
    return typeof value === 'string' && value.length > MAX_CHARACTERS ? value.slice(0, MAX_CHARACTERS) : value;
  }
}
