import type { Counter, Gauge, Histogram, Metrics } from './metrics.ts';

/** The metrics that every service has, under one name and one help text. */
export interface StandardMetrics {
  /** `http_requests_total{service,method,route,status}`. `route` is a template, `status` the number. */
  readonly httpRequests: Counter<'method' | 'route' | 'status'>;
  /** `http_request_duration_seconds{service,method,route}`. */
  readonly httpRequestDuration: Histogram<'method' | 'route'>;
  /** `business_events_total{service,event}`. Names an event, never an id. */
  readonly businessEvents: Counter<'event'>;
  /** `active_connections{service}`. */
  readonly activeConnections: Gauge<never>;
}

/** The same for each call with the same `metrics`. */
export function standardMetrics(metrics: Metrics): StandardMetrics {
  const activeConnections = metrics.gauge({ name: 'active_connections', help: 'Open connections of clients.' });
  return {
    httpRequests: metrics.counter({
      name: 'http_requests_total',
      help: 'HTTP requests answered, by route and status.',
      labels: ['method', 'route', 'status'],
    }),
    httpRequestDuration: metrics.histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer.',
      labels: ['method', 'route'],
    }),
    businessEvents: metrics.counter({
      name: 'business_events_total',
      help: 'What happened, in the words of the business.',
      labels: ['event'],
    }),
    activeConnections,
  };
}

/** Lets the series of a route exist from the start, at 0: a rate needs a first value to grow from. */
export function startHttpRoute(
  metrics: Metrics,
  route: { readonly method: string; readonly route: string; readonly statuses: readonly number[] },
): void {
  const { httpRequests } = standardMetrics(metrics);
  for (const status of route.statuses) {
    httpRequests.add(0, { method: route.method, route: route.route, status: String(status) });
  }
}

/** Lets the series of business events exist from the start, at 0. */
export function startBusinessEvents(metrics: Metrics, events: readonly string[]): void {
  const { businessEvents } = standardMetrics(metrics);
  for (const event of events) businessEvents.add(0, { event });
}
