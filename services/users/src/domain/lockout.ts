/** Failed sign-ins in a row. */
export interface Failures {
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastAt: number;
}

/** All in milliseconds, but the number of free failures. */
export interface LockoutPolicy {
  readonly loginFailures: number;
  readonly lockout: number;
  readonly maxLockout: number;
  readonly forgetFailures: number;
}

/**
 * Milliseconds until the next attempt is let through; 0: now. The lock begins with the last failure and doubles with each one
 * beyond the free ones.
 */
export function lockedForMs(failures: Failures | undefined, policy: LockoutPolicy, now: number): number {
  if (failures === undefined || failures.count < policy.loginFailures) return 0;
  const doublings = Math.min(failures.count - policy.loginFailures, 30);
  const lockMs = Math.min(policy.lockout * 2 ** doublings, policy.maxLockout);
  return Math.max(0, failures.lastAt + lockMs - now);
}
