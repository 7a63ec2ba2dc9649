import type { EventEmitter } from 'node:events';
import { standardMetrics, type Telemetry } from '@souk/telemetry';

/** Counts requests and open connections of an HTTP server. */
export interface HttpMetrics {
  /** @param seconds From the first byte of the request to the end of the reply. */
  observe(verb: string, route: string, status: number, seconds: number): void;
  /** Counts a connection from its first request until it closes. */
  connected(connection: EventEmitter): void;
}

const VERBS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createHttpMetrics(telemetry: Telemetry): HttpMetrics {
  const { httpRequests, httpRequestDuration, activeConnections } = standardMetrics(telemetry.metrics);
  const known = new WeakSet<EventEmitter>();
  return {
    observe: (verb, route, status, seconds) => {
      const method = VERBS.has(verb) ? verb : 'OTHER';
      httpRequests.add(1, { method, route, status: String(status) });
      httpRequestDuration.observe(seconds, { method, route });
    },
    connected: (connection) => {
      if (known.has(connection)) return;
      known.add(connection);
      activeConnections.add(1, {});
      connection.once('close', () => activeConnections.add(-1, {}));
    },
  };
}
