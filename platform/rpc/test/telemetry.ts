import type { LogFields, Logger } from '@souk/kernel';
import type { Labels, Telemetry } from '@souk/telemetry';

export interface RecordedTelemetry {
  readonly telemetry: Telemetry;
  readonly lines: { level: string; message: string; fields: LogFields }[];
  readonly spans: { name: string; kind: string | undefined; reason: string | undefined; ended: number }[];
  /** Each count and observation: `name{label="value"}`. */
  readonly series: string[];
}

/** Telemetry that remembers. Every span is a child with an id of its own. */
export function recordTelemetry(service = 'test'): RecordedTelemetry {
  const lines: RecordedTelemetry['lines'] = [];
  const spans: RecordedTelemetry['spans'] = [];
  const series: string[] = [];
  const logger = (bound: LogFields): Logger => {
    const write = (level: string) => (message: string, fields?: LogFields) =>
      void lines.push({ level, message, fields: { ...bound, ...fields } });
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      with: (fields) => logger({ ...bound, ...fields }),
      forTrace: ({ traceId, spanId }) => logger({ ...bound, trace_id: traceId, span_id: spanId }),
    };
  };
  const metric = ({ name }: { name: string }) => {
    const take = (_value: number, labels: Labels<string>) => {
      const text = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
      series.push(`${name}{${text.join(',')}}`);
    };
    return { add: take, set: take, observe: take };
  };
  const telemetry: Telemetry = {
    service,
    log: logger({}),
    metrics: { counter: metric, gauge: metric, histogram: metric, onCollect: () => {} },
    tracer: {
      start: (ctx, name, options) => {
        const span = {
          name,
          kind: options?.kind as string | undefined,
          reason: undefined as string | undefined,
          ended: 0,
        };
        spans.push(span);
        const spanId = String(spans.length).padStart(16, 'a');
        return {
          trace: { traceId: ctx.trace.traceId, spanId, sampled: ctx.trace.sampled },
          set: () => {},
          event: () => {},
          fail: (error) => {
            span.reason = error.reason;
          },
          end: () => {
            span.ended += 1;
          },
        };
      },
      run: async (ctx, _name, _options, work) => work(ctx, undefined as never),
    },
  };
  return { telemetry, lines, spans, series };
}
