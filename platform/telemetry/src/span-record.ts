import type { Attributes, SpanKind } from './tracer.ts';

/** A link to a span that is not the parent. */
export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
}

export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since the epoch, with fractions. */
  readonly atMs: number;
  readonly attributes: Attributes;
}

/** A span that has ended. */
export interface SpanRecord {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** undefined for the first span of a trace. */
  readonly parentSpanId: string | undefined;
  readonly tracestate: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number;
  /** Milliseconds, with fractions; measured by the monotonic clock, so never negative. */
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  readonly status: 'unset' | 'error';
  /** What went wrong, in the words of our own catalogue. */
  readonly statusMessage: string | undefined;
}

/** Takes spans as they end, inside the process. Must neither block nor throw. */
export interface SpanSink {
  take(span: SpanRecord): void;
}

/** Carries batches of spans out of the process. */
export interface SpanExporter {
  /**
   * @param signal Aborts when nobody waits any longer.
   * @throws SoukError when the spans did not arrive
   */
  export(spans: readonly SpanRecord[], signal: AbortSignal): Promise<void>;
}
