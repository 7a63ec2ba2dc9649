import type { AdaptiveLimitOptions } from './adaptive-limit-options.ts';
import type { BackoffOptions } from './backoff.ts';
import type { BreakerOptions } from './breaker-options.ts';
import type { CoalesceOptions } from './coalesce.ts';
import type { DynamicOptions } from './dynamic.ts';
import { resilienceErrors } from './errors.ts';
import type { GateOptions } from './gate-options.ts';
import type { HedgeOptions } from './hedge.ts';
import type { PolicyConfig, TimeoutOptions } from './policy-config.ts';
import type { RateLimiterOptions } from './rate-limiter-options.ts';
import type { RetryBudgetOptions } from './retry-budget.ts';
import type { RetryOptions } from './retry-options.ts';
import type { ShedOptions } from './shed-options.ts';
import type { ThrottleOptions } from './throttle.ts';

/** What an option may hold: options again, a value that is checked where it is used, or either of the two. */
type Known = { readonly [name: string]: Known } | 'value' | readonly ['value', { readonly [name: string]: Known }];
/** Every option of `T`, and no other: one that is added there and not here does not compile. */
type Names<T> = { readonly [K in keyof T]-?: Known };

const budget = { ratio: 'value', minPerSec: 'value' } satisfies Names<RetryBudgetOptions>;
const backoff = {
  growth: 'value',
  jitter: 'value',
  baseMs: 'value',
  capMs: 'value',
  factor: 'value',
  delaysMs: 'value',
} satisfies Names<BackoffOptions>;
const limit = {
  algorithm: 'value',
  initial: 'value',
  min: 'value',
  max: 'value',
  windowMs: 'value',
  minSamples: 'value',
  tolerance: 'value',
  timeoutMs: 'value',
  smoothing: 'value',
} satisfies Names<AdaptiveLimitOptions>;

const POLICY = {
  mode: 'value',
  observe: 'value',
  dynamic: {
    timeout: { factor: 'value', minMs: 'value', maxMs: 'value' },
    bulkhead: { min: 'value', max: 'value' },
  } satisfies Names<DynamicOptions>,
  deadlineMs: 'value',
  coalesce: { ttlMs: 'value', staleMs: 'value', jitter: 'value', maxKeys: 'value' } satisfies Names<CoalesceOptions>,
  retry: {
    maxAttempts: 'value',
    backoff,
    budget: ['value', budget],
    idempotent: 'value',
    trustsRefusals: 'value',
    maxServerDelayMs: 'value',
  } satisfies Names<RetryOptions>,
  hedge: {
    delayMs: 'value',
    percentile: 'value',
    floorMs: 'value',
    minSamples: 'value',
    maxAttempts: 'value',
    budget,
  } satisfies Names<HedgeOptions>,
  throttle: { k: 'value', windowMs: 'value', minCalls: 'value', maxShare: 'value' } satisfies Names<ThrottleOptions>,
  rateLimit: {
    limit: 'value',
    periodMs: 'value',
    burst: 'value',
    algorithm: 'value',
    maxWaitMs: 'value',
  } satisfies Names<RateLimiterOptions>,
  shed: {
    limit,
    queueFactor: 'value',
    queueTimeoutMs: 'value',
    overloadAfterMs: 'value',
    overloadWaitMs: 'value',
  } satisfies Names<ShedOptions>,
  bulkhead: {
    limit: 'value',
    queueLimit: 'value',
    queueTimeoutMs: 'value',
    order: 'value',
    overloadAfterMs: 'value',
    overloadWaitMs: 'value',
  } satisfies Names<GateOptions>,
  breaker: {
    window: { buckets: 'value', bucketMs: 'value', count: 'value' },
    minCalls: 'value',
    failureRate: 'value',
    slowMs: 'value',
    slowRate: 'value',
    consecutive: 'value',
    openMs: 'value',
    openFactor: 'value',
    openMaxMs: 'value',
    openJitter: 'value',
    halfOpenPermits: 'value',
    probeTimeoutMs: 'value',
    halfOpenMaxWaitMs: 'value',
    onHalfOpenTimeout: 'value',
    rampMs: 'value',
  } satisfies Names<BreakerOptions>,
  timeout: ['value', { ms: 'value', mode: 'value' } satisfies Names<TimeoutOptions>],
} satisfies Names<PolicyConfig>;

/**
 * Refuses a configuration that names what there is not: a layer that is written wrong would be a layer that is not there.
 * @throws RESILIENCE_BAD_OPTION
 */
export const checkNames = (config: PolicyConfig): void => check('', config, POLICY);

function check(at: string, given: unknown, known: Known): void {
  if (given === undefined || given === null || known === 'value') return;
  const mayBeValue = Array.isArray(known);
  const names = (mayBeValue ? known[1] : known) as { readonly [name: string]: Known };
  if (typeof given !== 'object' || Array.isArray(given)) {
    if (mayBeValue) return;
    throw resilienceErrors.BAD_OPTION({ option: at || 'policy', want: 'an object of options', got: String(given) });
  }
  for (const [name, value] of Object.entries(given)) {
    const option = at === '' ? name : `${at}.${name}`;
    if (!Object.hasOwn(names, name)) throw unknown(option, name, Object.keys(names));
    check(option, value, names[name] as Known);
  }
}

function unknown(option: string, name: string, there: readonly string[]): Error {
  const near = there.filter((one) => distance(one.toLowerCase(), name.toLowerCase()) <= 2);
  const meant = near.length === 0 ? '' : `${near.join(' or ')}, if that was meant; there are: `;
  return resilienceErrors.BAD_OPTION({
    option,
    want: `an option that exists (${meant}${there.join(', ')})`,
    got: 'one that does not',
  });
}

/** Letters to put in, to take out or to change. Levenshtein's. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let from = 0; from < one.length; from++) {
    const next = [from + 1];
    for (let to = 0; to < other.length; to++) {
      const changed = (row[to] as number) + (one[from] === other[to] ? 0 : 1);
      next.push(Math.min(changed, (row[to + 1] as number) + 1, (next[to] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
