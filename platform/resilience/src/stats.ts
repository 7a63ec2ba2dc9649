import type { RefusedBy } from './attempt.ts';
import type { Outcome } from './outcome.ts';

/** Counts since the policy was made. Whoever wants metrics reads them; nobody is told. */
export class PolicyStats {
  calls = 0;
  attempts = 0;
  retries = 0;
  timeouts = 0;
  hedges = 0;
  hedgesWon = 0;
  /** Attempts that settled after their caller had gone on. */
  late = 0;
  fallbacks = 0;
  fallbacksFailed = 0;
  /** Calls that got the answer of another. */
  coalesced = 0;
  readonly ended: Record<Outcome, number> = {
    ...{ success: 0, failure: 0, throttled: 0, cancelled: 0, rejected: 0, ignored: 0 },
  };
  readonly refusals: Record<RefusedBy, number> = {
    ...{ throttled: 0, rate_limited: 0, shed: 0, bulkhead: 0, breaker_open: 0 },
  };

  refused(by: RefusedBy): void {
    this.refusals[by]++;
  }
}
