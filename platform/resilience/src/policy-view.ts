import { isSoukError } from '@souk/kernel';
import type { BreakerView } from './breaker-types.ts';
import type { GateView } from './gate.ts';
import type { Policy } from './policy.ts';
import type { PolicyConfig } from './policy-config.ts';
import type { PolicyKind } from './presets.ts';
import type { ShedView } from './shedder.ts';

/** A policy as operators see it: all data, and nothing of what callers sent. */
export interface PolicyView {
  readonly name: string;
  readonly kind: PolicyKind;
  readonly config: PolicyConfig;
  readonly breaker: (Omit<BreakerView, 'lastCause'> & { readonly lastCause: string | undefined }) | undefined;
  readonly bulkhead: GateView | undefined;
  readonly shed: (ShedView & { readonly gate: GateView }) | undefined;
  /** The chance that a call is not sent, 0 to 1. */
  readonly throttled: number | undefined;
  /** Retries that would be granted now. */
  readonly retryBudget: number | undefined;
  /** Milliseconds; undefined while nothing was called lately. */
  readonly latency: { readonly p50: number; readonly p95: number; readonly p99: number } | undefined;
  readonly counts: Readonly<Record<string, number>>;
}

export function viewPolicy(kind: PolicyKind, policy: Policy<unknown>): PolicyView {
  const { name, config, stats } = policy;
  const {
    refusals,
    calls,
    attempts,
    retries,
    timeouts,
    hedges,
    hedgesWon,
    late,
    fallbacks,
    fallbacksFailed,
    coalesced,
  } = stats;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((quantile) => policy.latencyMs(quantile));
  const parts = policy.look();
  return {
    ...{ name, kind, config },
    ...parts,
    breaker: parts.breaker && { ...parts.breaker, lastCause: reasonOf(parts.breaker.lastCause) },
    latency: p50 === undefined || p95 === undefined || p99 === undefined ? undefined : { p50, p95, p99 },
    counts: {
      ...{ calls, attempts, retries, timeouts, hedges, hedgesWon, late, fallbacks, fallbacksFailed, coalesced },
      ...Object.fromEntries(Object.entries(refusals).map(([by, count]) => [`refused_${by}`, count])),
      ...Object.fromEntries(Object.entries(stats.ended).map(([outcome, count]) => [`ended_${outcome}`, count])),
    },
  };
}

/** The reason only: what a foreign error says may hold what was sent. */
function reasonOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  if (isSoukError(error)) return error.reason;
  return error instanceof Error ? error.name : 'unknown';
}
