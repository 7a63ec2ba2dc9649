import type { Socket } from 'node:net';
import type { Telemetry } from '@souk/telemetry';

/** Counts requests and open connections of an HTTP server. */
export interface HttpMetrics {
  /** @param seconds From the first byte of the request to the end of the reply. */
  observe(verb: string, route: string, status: number, seconds: number): void;
  /** Counts a connection from its first request until it closes. */
  connected(socket: Socket): void;
}

const VERBS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createHttpMetrics(telemetry: Telemetry): HttpMetrics {
  const { metrics } = telemetry;
  const labels = ['method', 'route', 'status'] as const;
  const requests = metrics.counter({ name: 'http_requests_total', help: 'HTTP requests answered.', labels });
  const durations = metrics.histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the first byte of a request to the end of its reply.',
    labels,
  });
  const connections = metrics.gauge({ name: 'active_connections', help: 'Open HTTP connections.' });
  const known = new WeakSet<Socket>();
  return {
    observe: (verb, route, status, seconds) => {
      const values = { method: VERBS.has(verb) ? verb : 'OTHER', route, status: String(status) };
      requests.add(1, values);
      durations.observe(seconds, values);
    },
    connected: (socket) => {
      if (known.has(socket)) return;
      known.add(socket);
      connections.add(1, {});
      socket.once('close', () => connections.add(-1, {}));
    },
  };
}
