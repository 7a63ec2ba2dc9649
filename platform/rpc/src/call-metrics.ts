import type { Telemetry } from '@souk/telemetry';

/** Counts calls of one method and measures their time. */
export interface CallMetrics {
  /** @param code `ok` or the code of the error. @param seconds How long the call took. */
  observe(code: string, seconds: number): void;
}

export function createCallMetrics(telemetry: Telemetry, side: 'server' | 'client', method: string): CallMetrics {
  const requests = telemetry.metrics.counter({
    name: `rpc_${side}_requests_total`,
    help: `Calls, by method and code, seen by the ${side}.`,
    labels: ['method', 'code'],
  });
  const durations = telemetry.metrics.histogram({
    name: `rpc_${side}_duration_seconds`,
    help: `Time that calls took, by method, seen by the ${side}.`,
    labels: ['method'],
  });
  const durationLabels = { method };
  const byCode = new Map<string, { method: string; code: string }>();
  return {
    observe: (code, seconds) => {
      let labels = byCode.get(code);
      if (labels === undefined) {
        labels = { method, code };
        byCode.set(code, labels);
      }
      requests.add(1, labels);
      durations.observe(seconds, durationLabels);
    },
  };
}
