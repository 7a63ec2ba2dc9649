import type { PolicyRegistry, PolicyView } from '@souk/resilience';
import type { Metrics } from '@souk/telemetry';

const STATES = ['CLOSED', 'HALF_OPEN', 'OPEN', 'FORCED_CLOSED', 'FORCED_OPEN', 'METRICS_ONLY', 'DISABLED'];

/** Policies as metrics. They count by themselves; here is read what they have counted, when somebody asks. */
export function exposePolicies(metrics: Metrics, policies: PolicyRegistry): void {
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: ['policy'] });
  const gauges: readonly [ReturnType<typeof gauge>, (view: PolicyView) => number | undefined][] = [
    [
      gauge('souk_breaker_state', `Of circuit breakers: ${STATES.map((state, n) => `${n} ${state}`).join(', ')}.`),
      ({ breaker }) => breaker && STATES.indexOf(breaker.state),
    ],
    [gauge('souk_breaker_failure_ratio', 'Share of calls that failed lately.'), ({ breaker }) => breaker?.failureRate],
    [gauge('souk_bulkhead_active', 'Slots that are taken.'), ({ bulkhead, shed }) => (bulkhead ?? shed?.gate)?.active],
    [
      gauge('souk_bulkhead_queued', 'Calls that wait for a slot.'),
      ({ bulkhead, shed }) => (bulkhead ?? shed?.gate)?.queued,
    ],
    [
      gauge('souk_bulkhead_zombies', 'Slots whose callers have gone.'),
      ({ bulkhead, shed }) => (bulkhead ?? shed?.gate)?.zombies,
    ],
    [
      gauge('souk_concurrency_limit', 'Calls that are let in at once.'),
      ({ bulkhead, shed }) => (bulkhead ?? shed?.gate)?.limit,
    ],
    [gauge('souk_shed_ratio', 'Share of calls that are refused ahead of the queue.'), ({ shed }) => shed?.share],
    [gauge('souk_throttled_ratio', 'Chance that a call is not sent.'), ({ throttled }) => throttled],
    [gauge('souk_retry_budget', 'Retries that would be granted now.'), ({ retryBudget }) => retryBudget],
    [
      gauge('souk_policy_p99_seconds', 'Time that 99 of 100 attempts took at most.'),
      ({ latency }) => latency && latency.p99 / 1000,
    ],
  ];
  const events = metrics.counter({
    name: 'souk_policy_events_total',
    help: 'What policies did: calls, attempts, retries, refusals, timeouts, hedges, fallbacks.',
    labels: ['policy', 'event'],
  });
  const told = new Map<string, number>();
  metrics.onCollect(() => {
    for (const view of policies.list()) {
      const policy = view.name;
      for (const [metric, read] of gauges) {
        const value = read(view);
        if (value !== undefined) metric.set(value, { policy });
      }
      for (const [event, count] of Object.entries(view.counts)) {
        const key = `${policy} ${event}`;
        const before = told.get(key) ?? 0;
        if (count === before) continue;
        events.add(Math.max(0, count - before), { policy, event });
        told.set(key, count);
      }
    }
  });
}
