import type { Instance } from '../instance.ts';
import { hashOf } from './hash.ts';
import { createLatencyWindow, type LatencyWindow } from './latency-window.ts';
import type { Pool } from './pool.ts';

/**
 * What the conditions of an instance mean. `starting` and `unhealthy` look alike: what has been ready before is unhealthy, what has not is
 * starting.
 */
export type MemberState = 'up' | 'starting' | 'unhealthy' | 'maintenance' | 'draining' | 'terminated';

/** Why an instance is ejected. */
export type EjectionReason = 'errors' | 'unreachable' | 'success_rate' | 'failure_percentage' | 'latency';

/** What this caller knows of one incarnation of an instance. */
export interface Member {
  instance: Instance;
  /** Of the id, which is the same after a restart: so are the keys. */
  readonly hash: number;
  state: MemberState;
  hasBeenReady: boolean;
  /** When its weight began to grow. -Infinity: it never had to. */
  slowSinceMs: number;
  inFlight: number;
  picks: number;
  errors: number;
  unreachable: number;
  /** Smoothed for people. NaN: none has been seen. */
  latencyMs: number;
  /** The same with failures as slow calls, as of `costAtMs`: what a call there is to be expected to take. 0: nothing is known. */
  expectedMs: number;
  /** Peak-sensitive moving average, as of `costAtMs`. NaN: none has been seen since then. */
  costMs: number;
  costAtMs: number;
  /** Failed answers, and calls without one, since the last that was neither. */
  errorsInRow: number;
  unreachableInRow: number;
  /** 0: it is not ejected. */
  ejectedUntilMs: number;
  ejectedFor: EjectionReason | undefined;
  /** How often it was ejected, less one for each interval that it behaved. */
  ejections: number;
  /** Calls that began before say nothing any more. */
  judgedFromMs: number;
  /** Of this interval. */
  calls: number;
  failures: number;
  readonly latencies: LatencyWindow;
  /** Where it is counted. */
  pools: Pool[];
}

export const createMember = (instance: Instance, nowMs: number): Member => ({
  instance,
  hash: hashOf(instance.id),
  state: 'starting',
  hasBeenReady: false,
  slowSinceMs: Number.NEGATIVE_INFINITY,
  inFlight: 0,
  picks: 0,
  errors: 0,
  unreachable: 0,
  latencyMs: Number.NaN,
  expectedMs: 0,
  costMs: Number.NaN,
  costAtMs: nowMs,
  errorsInRow: 0,
  unreachableInRow: 0,
  ejectedUntilMs: 0,
  ejectedFor: undefined,
  ejections: 0,
  judgedFromMs: Number.NEGATIVE_INFINITY,
  calls: 0,
  failures: 0,
  latencies: createLatencyWindow(),
  pools: [],
});

/** Takes over what the registry says of the same incarnation. */
export function refresh(member: Member, instance: Instance): void {
  member.instance = instance;
  member.state = stateOf(instance, member.hasBeenReady);
  member.hasBeenReady ||= member.state === 'up';
}

function stateOf({ ready, serving, terminating }: Instance, hasBeenReady: boolean): MemberState {
  if (terminating) return serving ? 'draining' : 'terminated';
  if (ready) return 'up';
  if (serving) return 'maintenance';
  return hasBeenReady ? 'unhealthy' : 'starting';
}

export const isEjected = (member: Member): boolean => member.ejectedUntilMs !== 0;
export const isHealthy = (member: Member): boolean => member.state === 'up' && member.ejectedUntilMs === 0;
/** Asked also when it seems not well, if too few others are well. */
export const isSuspect = (member: Member): boolean =>
  member.state === 'unhealthy' || (member.state === 'up' && member.ejectedUntilMs !== 0);
