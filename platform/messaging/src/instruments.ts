import type { Counter, Gauge, Histogram, Telemetry } from '@souk/telemetry';

/** What this package measures. */
export interface Instruments {
  readonly pending: Gauge<never>;
  readonly ageSeconds: Gauge<never>;
  readonly retrying: Gauge<never>;
  readonly dead: Gauge<never>;
  readonly blocked: Gauge<never>;
  readonly connected: Gauge<'bus'>;
  readonly redelivered: Counter<'type'>;
  /** From the commit that published an event to its first handler. */
  readonly relaySeconds: Histogram<'type'>;
}

export const createInstruments = ({ metrics }: Telemetry): Instruments => ({
  pending: metrics.gauge({ name: 'souk_outbox_pending', help: 'Events in the outbox that are not acknowledged.' }),
  ageSeconds: metrics.gauge({ name: 'souk_outbox_age_seconds', help: 'Age of the oldest event in the outbox.' }),
  retrying: metrics.gauge({ name: 'souk_retry_pending', help: 'Events that wait for a retry or behind one.' }),
  dead: metrics.gauge({ name: 'souk_dlq_depth', help: 'Dead letters that nobody has dealt with.' }),
  blocked: metrics.gauge({
    name: 'souk_blocked_keys',
    help: 'Keys whose later events wait behind a dead letter.',
  }),
  connected: metrics.gauge({
    name: 'souk_bus_connected',
    help: '1 while the bus has its connection, 0 while it tries to get one.',
    labels: ['bus'],
  }),
  redelivered: metrics.counter({
    name: 'souk_messages_redelivered_total',
    help: 'Deliveries of events that had been delivered before.',
    labels: ['type'],
  }),
  relaySeconds: metrics.histogram({
    name: 'souk_outbox_relay_duration_seconds',
    help: 'Time from the publication of an event to its handler.',
    labels: ['type'],
  }),
});
