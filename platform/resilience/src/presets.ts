import type { PolicyConfig } from './policy-config.ts';

/** What a policy stands in front of. */
export type PolicyKind = 'call' | 'server' | 'waiting' | 'publish' | 'consume' | 'sql' | 'http' | 'email';

/**
 * What each kind begins with, and why.
 *
 * - `call`, to another service: three attempts, for one instance of two may be restarting, and only of what may be repeated; a tenth of the calls may be repeated, so
 *   that a target in trouble gets 1.1 times its load and not three times. The breaker opens at half of at least 20 calls. 256 at once are
 *   more than a healthy target ever has under way; 512 wait, so that a burst is no error and an outage fills no memory. Three probes a
 *   second burden nobody, and breakers that stand one behind the other must not add up to more than five seconds after an outage.
 * - `server`, at the door of a process: the limit is found out from latencies; what is least important is refused first.
 * - `waiting`, for requests that asked to be answered late: they only hold memory, so there may be many.
 * - `publish`, to the bus: no retry, for the outbox does that with its own patience; the breaker saves it from asking a dead broker.
 * - `consume`: one slow kind of event must not take all connections of the database.
 * - `sql`: the pool is the bulkhead. No retry, for only the caller knows what has happened; the breaker makes an outage answer at once.
 * - `http`, to another company: as `call`, but fewer at once, slower, and without hope of a second instance.
 * - `email`: nobody waits for it, and providers count.
 */
export const PRESETS: Readonly<Record<PolicyKind, PolicyConfig>> = Object.freeze({
  call: {
    retry: { trustsRefusals: false },
    throttle: {},
    bulkhead: { limit: 256, queueLimit: 512, queueTimeoutMs: 1000 },
    breaker: { consecutive: 10, openMs: 500, openMaxMs: 1000 },
  },
  server: {
    shed: {
      limit: { initial: 200, min: 64, max: 2000 },
      queueFactor: 4,
      ...{ queueTimeoutMs: 1000, overloadAfterMs: 500, overloadWaitMs: 100 },
    },
    observe: true,
  },
  waiting: { bulkhead: { limit: 2000 } },
  publish: { breaker: { consecutive: 10, openMs: 1000, openMaxMs: 5000, rampMs: 0 }, observe: true },
  consume: { bulkhead: { limit: 64, queueLimit: 10_000 }, observe: true },
  sql: {
    breaker: { window: { buckets: 10, bucketMs: 1000 }, consecutive: 10, openMs: 500, openMaxMs: 5000, rampMs: 0 },
    observe: true,
  },
  http: {
    retry: { maxAttempts: 2 },
    throttle: {},
    bulkhead: { limit: 64, queueLimit: 128, queueTimeoutMs: 2000 },
    breaker: { consecutive: 10, openMs: 1000, openMaxMs: 2000 },
  },
  email: { bulkhead: { limit: 8, queueLimit: 100 }, breaker: { consecutive: 5, openMs: 5000 }, timeout: 30_000 },
});

export const POLICY_KINDS = Object.keys(PRESETS) as readonly PolicyKind[];
