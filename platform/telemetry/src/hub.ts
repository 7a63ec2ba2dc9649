import { fromUnknown, type Runtime } from '@souk/kernel';
import { createLog, type LogDestination } from './log.ts';
import type { LogLevel } from './log-format.ts';
import type { Fetch } from './otlp-exporter.ts';
import { watchProcess } from './process-metrics.ts';
import { createRegistry } from './registry.ts';
import { ratioSampler } from './sampling.ts';
import { createSpanBatcher, type SpanBatcher } from './span-batcher.ts';
import type { SpanRecord, SpanSink } from './span-record.ts';
import { createTracer } from './span-tracer.ts';
import type { Telemetry } from './telemetry.ts';

export interface TelemetryHubOptions {
  readonly runtime: Runtime;
  /** `json` for machines, `pretty` for a terminal. @default 'json' */
  readonly format?: 'json' | 'pretty' | undefined;
  /** Lines below cost nothing. @default 'info' */
  readonly level?: LogLevel | undefined;
  /** Where lines go. @default standard output, buffered */
  readonly destination?: LogDestination | undefined;
  /** Colours in `pretty`. @default false */
  readonly colour?: boolean | undefined;
  /** Base URL of an OTLP/HTTP collector; without it nothing leaves the process. */
  readonly otlpEndpoint?: string | undefined;
  /** Headers for the collector. */
  readonly otlpHeaders?: Readonly<Record<string, string>> | undefined;
  /** How the collector is reached. @default the global `fetch` */
  readonly fetch?: Fetch | undefined;
  /** Takes each span inside the process as it ends: a test, a console. Without it and without a collector, no spans are made. */
  readonly spanSink?: SpanSink | undefined;
  /** Part of the traces that begin here and are kept, from 0 to 1. Lower: cheaper. Higher: more to look at. @default 1 */
  readonly sampleRatio?: number | undefined;
  /** What runs; for `souk_build_info` and spans. */
  readonly build?: { readonly version: string; readonly revision: string } | undefined;
  /** Metrics of the process and of Node.js; off where many hubs share a process, as in tests. @default true */
  readonly processMetrics?: boolean | undefined;
}

/** Logs, spans and metrics of a process. */
export interface TelemetryHub {
  /** What one service reports through. The same name gives the same telemetry. */
  forService(name: string): Telemetry;
  /** The page `/metrics`; its media type is `METRICS_CONTENT_TYPE`. */
  exposition(): string;
  /**
   * Sends what is left and writes out the log. Never throws. Close it last: spans that end later are dropped and counted.
   * @param options.withinMs Longest wait for the collector. @default 5000
   */
  close(options?: { readonly withinMs?: number }): Promise<void>;
}

const OWN_NAME = 'souk';
const CLOSE_MS = 5000;
const UNKNOWN_BUILD = { version: 'unknown', revision: 'unknown' };

export function createTelemetryHub(options: TelemetryHubOptions): TelemetryHub {
  const { runtime, format = 'json', level = 'info', build = UNKNOWN_BUILD } = options;
  const log = createLog({
    clock: runtime.clock,
    format,
    level,
    destination: options.destination,
    colour: options.colour,
  });
  const ownLog = log.forService(OWN_NAME);
  const registry = createRegistry({
    onOverflow: (metric) => ownLog.warn('a metric has too many series; new ones are counted together', { metric }),
    onCollectError: (error) => ownLog.error('a metric could not be collected', { err: fromUnknown(error) }),
  });
  const processView = registry.view({});
  const stopProcess = options.processMetrics === false ? () => {} : watchProcess({ metrics: processView, build });

  const dropped = processView.counter({
    name: 'souk_telemetry_dropped_total',
    help: 'Spans that did not reach the collector.',
    labels: ['signal', 'reason'],
  });
  const drop = (count: number, reason: string) => dropped.add(count, { signal: 'spans', reason });

  const batcher = options.otlpEndpoint === undefined ? undefined : otlpBatcher(options.otlpEndpoint);
  const sink = joinSinks([options.spanSink, batcher]);
  const keeps = ratioSampler(options.sampleRatio ?? 1);
  const services = new Map<string, Telemetry>();

  function otlpBatcher(endpoint: string): SpanBatcher {
    for (const reason of ['queue_full', 'export_failed', 'closed', 'rejected']) drop(0, reason);
    return createSpanBatcher({
      runtime,
      log: ownLog,
      onDropped: drop,
      exporter: async () => {
        const { createOtlpExporter } = await import('./otlp-exporter.ts');
        return createOtlpExporter({
          runtime,
          endpoint,
          fetch: options.fetch ?? fetch,
          headers: options.otlpHeaders,
          resource: { 'service.version': build.version },
          onRejected: (count) => drop(count, 'rejected'),
        });
      },
    });
  }

  return {
    forService: (name) => {
      let telemetry = services.get(name);
      if (telemetry === undefined) {
        telemetry = Object.freeze({
          service: name,
          log: log.forService(name),
          tracer: createTracer({ service: name, runtime, sink, keeps }),
          metrics: registry.view({ service: name }),
        });
        services.set(name, telemetry);
      }
      return telemetry;
    },
    exposition: registry.exposition,
    close: async ({ withinMs = CLOSE_MS } = {}) => {
      await batcher?.close(withinMs);
      stopProcess();
      log.flush();
    },
  };
}

function joinSinks(all: ReadonlyArray<SpanSink | undefined>): SpanSink | undefined {
  const sinks = all.filter((sink) => sink !== undefined);
  if (sinks.length < 2) return sinks[0];
  return {
    take: (span: SpanRecord) => {
      for (const sink of sinks) sink.take(span);
    },
  };
}
