export type { Counter, Gauge, Histogram, HistogramDefinition, Labels, MetricDefinition, Metrics } from './metrics.ts';
export type { Telemetry } from './telemetry.ts';
export type { Attributes, Span, SpanKind, SpanOptions, Tracer } from './tracer.ts';
