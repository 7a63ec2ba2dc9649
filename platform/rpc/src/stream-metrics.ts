import type { Telemetry } from '@souk/telemetry';

/** Counts the streams of one method and what goes over them. Their length says nothing of speed, so it is not measured. */
export interface StreamMetrics {
  opened(): void;
  /** @param code `ok` or the code of the error. */
  closed(code: string): void;
  sent(): void;
  received(): void;
}

export function createStreamMetrics(telemetry: Telemetry, side: 'server' | 'client', method: string): StreamMetrics {
  const { metrics } = telemetry;
  const streams = metrics.counter({
    name: `rpc_${side}_streams_total`,
    help: `Streams that have ended, by method and code, seen by the ${side}.`,
    labels: ['method', 'code'],
  });
  const open = metrics.gauge({
    name: `rpc_${side}_streams_open`,
    help: `Streams that are open, by method, seen by the ${side}.`,
    labels: ['method'],
  });
  const messages = metrics.counter({
    name: `rpc_${side}_stream_messages_total`,
    help: `Messages on streams, by method and direction, seen by the ${side}.`,
    labels: ['method', 'direction'],
  });
  const ofMethod = { method };
  const out = { method, direction: 'sent' };
  const into = { method, direction: 'received' };
  return {
    opened: () => open.add(1, ofMethod),
    closed: (code) => {
      open.add(-1, ofMethod);
      streams.add(1, { method, code });
    },
    sent: () => messages.add(1, out),
    received: () => messages.add(1, into),
  };
}
