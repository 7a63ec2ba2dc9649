import {
  bulkhead,
  CountBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  type IPolicy,
  retry,
  SamplingBreaker,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import { type Makers, serve } from '../../lib/policies.ts';

const make =
  (create: () => IPolicy): Makers[string] =>
  (work) => {
    const made = create();
    return () => made.execute(work);
  };

/** 20 calls of 30 s before it may open. */
const sampling = (minimumRps = 20 / 30) => new SamplingBreaker({ threshold: 0.5, duration: 30_000, minimumRps });
const breaker = (kind: SamplingBreaker | CountBreaker = sampling(), halfOpenAfter = 5000) =>
  circuitBreaker(handleAll, { halfOpenAfter, breaker: kind });
const never = () => breaker(sampling(1_000_000_000));
const attempts = () =>
  retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 2000 }) });
// Answers the caller at once, as ours does.
const limit = () => timeout(400, TimeoutStrategy.Aggressive);
const pipeline = () => wrap(attempts(), bulkhead(64, 0), breaker(), limit());

await serve({
  'breaker-count': make(() => breaker(new CountBreaker({ size: 100, threshold: 0.5, minimumNumberOfCalls: 20 }))),
  'breaker-time': make(() => breaker()),
  'breaker-never': make(never),
  'breaker-latencies': make(never),
  'breaker-open': make(() => breaker(sampling(), 1_000_000)),
  'breaker-timeout': make(() => wrap(breaker(), limit())),
  retry: make(attempts),
  bulkhead: make(() => bulkhead(64, 0)),
  timeout: make(limit),
  pipeline: make(pipeline),
});
