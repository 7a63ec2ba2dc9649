import { systemRuntime } from '@souk/kernel';
import { createPolicy, createTimerWheel, type PolicyConfig, policy } from '@souk/resilience';
import { type Makers, serve } from '../../lib/policies.ts';

const runtime = systemRuntime();
// Policies of a process share one, as those of a registry do.
const wheel = createTimerWheel(runtime);

const make =
  (config: PolicyConfig): Makers[string] =>
  (work, n) => {
    const made = createPolicy({ name: `policy-${n}`, config, runtime, wheel });
    return () => made.run(work);
  };

const time = { window: { buckets: 30, bucketMs: 1000 }, minCalls: 20, failureRate: 0.5, openMs: 5000 };
const never = { ...time, minCalls: 1_000_000_000 };
const pipeline: PolicyConfig = {
  ...{ retry: { maxAttempts: 3, idempotent: true, backoff: { baseMs: 50, capMs: 2000 } } },
  ...{ bulkhead: { limit: 64 }, breaker: time, timeout: 400 },
};

await serve({
  'breaker-count': make({ breaker: { ...time, window: { count: 100 } } }),
  'breaker-time': make({ breaker: time }),
  'breaker-never': make({ breaker: never }),
  'breaker-latencies': make({ breaker: never, observe: true }),
  'breaker-open': make({ breaker: { ...time, openMs: 1_000_000 } }),
  'breaker-timeout': make({ breaker: time, timeout: 400 }),
  retry: make({ retry: pipeline.retry ?? {} }),
  bulkhead: make({ bulkhead: { limit: 64 } }),
  timeout: make({ timeout: 400 }),
  'rate-limit': make({ rateLimit: { limit: 1_000_000, periodMs: 1000, burst: 1_000_000_000 } }),
  hedge: make({ hedge: { delayMs: 1000 } }),
  adaptive: make({ shed: {} }),
  pipeline: make(pipeline),
  // As who makes only one would write it: with a timer wheel of its own.
  'pipeline-alone': (work, n) => {
    const { retry = {}, bulkhead = { limit: 64 } } = pipeline;
    const made = policy(`policy-${n}`, { runtime }).retry(retry).bulkhead(bulkhead).breaker(time).timeout(400).build();
    return () => made.run(work);
  },
});
