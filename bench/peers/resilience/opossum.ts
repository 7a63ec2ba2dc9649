import CircuitBreaker from 'opossum';
import { type Makers, serve } from '../../lib/policies.ts';

const base = {
  ...{ timeout: false, errorThresholdPercentage: 50, resetTimeout: 5000, volumeThreshold: 20 },
  ...{ rollingCountTimeout: 30_000, rollingCountBuckets: 30, rollingPercentilesEnabled: false },
};

const make =
  (options: object): Makers[string] =>
  (work) => {
    const made = new CircuitBreaker(work, { ...base, ...options });
    return () => made.fire();
  };

const never = { volumeThreshold: 1_000_000_000 };

// Each of them is a breaker, whatever else it is; there is no retry.
await serve({
  'breaker-time': make({}),
  'breaker-never': make(never),
  'breaker-latencies': make({ ...never, rollingPercentilesEnabled: true }),
  'breaker-open': make({ resetTimeout: 1_000_000 }),
  'breaker-timeout': make({ timeout: 400 }),
  pipeline: make({ timeout: 400, capacity: 64 }),
});
