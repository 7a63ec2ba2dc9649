import type { Logger } from '@souk/kernel';
import type { Metrics } from './metrics.ts';
import type { Tracer } from './tracer.ts';

/** What one service reports through. Every line, span and series carries the service's name. */
export interface Telemetry {
  readonly service: string;
  readonly log: Logger;
  readonly tracer: Tracer;
  readonly metrics: Metrics;
}
