import type { Runtime } from '@souk/kernel';
import { silentLogger } from '@souk/kernel';
import { createRegistry } from './registry.ts';
import { createTracer } from './span-tracer.ts';
import type { Telemetry } from './telemetry.ts';

/** Reports to nobody: no lines, no spans, metrics that count but are not shown. For tests of what needs a `Telemetry`. */
export const silentTelemetry = (runtime: Runtime, service = 'test'): Telemetry => ({
  service,
  log: silentLogger,
  tracer: createTracer({ service, runtime, sink: undefined, keeps: () => false }),
  metrics: createRegistry().view({ service }),
});
