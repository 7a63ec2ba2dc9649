import type { Context, SoukError, TraceContext } from '@souk/kernel';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** Names follow the OpenTelemetry semantic conventions, or `souk.*`. Never personal data, ids of users or secrets. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** Traces that caused this one without being its parent: a resumed saga, a batch of messages. */
  readonly links?: readonly TraceContext[];
}

export interface Span {
  /** For what happens inside: hand it on with `ctx.with({ trace: span.trace })`. */
  readonly trace: TraceContext;
  set(key: string, value: string | number | boolean): void;
  event(name: string, attributes?: Attributes): void;
  fail(error: SoukError): void;
  /** Must be called exactly once. */
  end(): void;
}

export interface Tracer {
  /** Begins a child of `ctx.trace`. */
  start(ctx: Context, name: string, options?: SpanOptions): Span;
  /** Runs `work` inside a span, which fails when `work` throws and ends in any case. */
  run<T>(ctx: Context, name: string, options: SpanOptions, work: (ctx: Context, span: Span) => Promise<T>): Promise<T>;
}
