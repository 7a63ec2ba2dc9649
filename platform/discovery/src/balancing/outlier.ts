// Passive health: who answers worse than the others is left out for a while. Nothing here has a timer: time passes when calls are made.
//
// O1 of the ready instances, at most maxEjectedPercent are ejected, but always one.
// O2 the n-th ejection lasts min(ejectionMs * n, maxEjectionMs), and up to jitterMs more.
// O3 calls that began before an ejection ended say nothing afterwards.

import type { Random } from '@souk/kernel';
import type { Outcome } from '../picker.ts';
import { type EjectionReason, isEjected, type Member } from './member.ts';
import type { LatencySettings, OutlierSettings, SuccessRateSettings } from './settings.ts';

export interface OutlierDetector {
  /** When {@link pass} has something to do. */
  readonly dueMs: number;
  /** Ends ejections whose time is over, and looks at rates and latencies when an interval is. */
  pass(nowMs: number): void;
  /** A call ended. */
  settle(member: Member, kind: Outcome['kind'], startedMs: number, nowMs: number): void;
  /** A check outside says that it is well: that counts more than what was seen here. */
  forgive(member: Member, nowMs: number): void;
  /** Other settings apply. */
  change(settings: OutlierSettings, nowMs: number): void;
}

export interface OutlierInit {
  readonly random: Random;
  readonly settings: OutlierSettings;
  /** Everybody who is there now. */
  readonly members: () => Iterable<Member>;
  readonly nowMs: number;
  readonly onEject: (member: Member, reason: EjectionReason) => void;
  readonly onReturn: (member: Member) => void;
}

export function createOutlierDetector({ random, members, onEject, onReturn, ...init }: OutlierInit): OutlierDetector {
  let settings = init.settings;
  let lookAtMs = init.nowMs + settings.intervalMs;
  let returnAtMs = Number.POSITIVE_INFINITY;

  const bringBack = (member: Member, nowMs: number): void => {
    member.ejectedUntilMs = 0;
    member.ejectedFor = undefined;
    member.judgedFromMs = nowMs;
    startAnew(member);
    onReturn(member);
  };

  const eject = (member: Member, reason: EjectionReason, nowMs: number): void => {
    if (isEjected(member) || member.state !== 'up' || !mayEjectOneMore(members(), settings)) return;
    member.ejections += 1;
    const lastsMs = Math.min(settings.ejectionMs * member.ejections, settings.maxEjectionMs);
    member.ejectedUntilMs = nowMs + lastsMs + random.next() * settings.jitterMs;
    member.ejectedFor = reason;
    returnAtMs = Math.min(returnAtMs, member.ejectedUntilMs);
    onEject(member, reason);
  };

  const bringBackWhoIsDue = (nowMs: number): void => {
    returnAtMs = Number.POSITIVE_INFINITY;
    for (const member of members()) {
      if (!isEjected(member)) continue;
      if (member.ejectedUntilMs <= nowMs) bringBack(member, nowMs);
      else returnAtMs = Math.min(returnAtMs, member.ejectedUntilMs);
    }
  };

  const look = (nowMs: number): void => {
    const judged = [...members()].filter((member) => member.state === 'up' && !isEjected(member));
    const { successRate, failurePercentage, latency } = settings;
    if (settings.enabled) {
      if (successRate.enabled) for (const one of poorSuccess(judged, successRate)) eject(one, 'success_rate', nowMs);
      if (failurePercentage.enabled) {
        const counted = judged.filter(({ calls }) => calls >= failurePercentage.minCalls);
        const failing = counted.filter((one) => 100 * failureRate(one) >= failurePercentage.percent);
        if (counted.length >= failurePercentage.minInstances)
          for (const one of failing.sort(worstFirst)) eject(one, 'failure_percentage', nowMs);
      }
      if (latency.enabled) for (const one of slow(judged, latency)) eject(one, 'latency', nowMs);
    }
    for (const member of judged) {
      // An ejection counts less with every interval that its instance behaves.
      if (!isEjected(member) && nowMs - member.judgedFromMs >= settings.intervalMs)
        member.ejections = Math.max(0, member.ejections - 1);
      clearCounts(member);
    }
    lookAtMs = nowMs + settings.intervalMs;
  };

  return {
    get dueMs() {
      return lookAtMs < returnAtMs ? lookAtMs : returnAtMs;
    },
    pass: (nowMs) => {
      if (nowMs >= returnAtMs) bringBackWhoIsDue(nowMs);
      if (nowMs >= lookAtMs) look(nowMs);
    },
    settle: (member, kind, startedMs, nowMs) => {
      if (kind === 'canceled' || startedMs < member.judgedFromMs) return;
      member.calls += 1;
      if (settings.latency.enabled) member.latencies.add(nowMs - startedMs);
      if (kind === 'ok') {
        member.errorsInRow = 0;
        member.unreachableInRow = 0;
        return;
      }
      member.failures += 1;
      if (kind === 'error') {
        // It answered, if with a failure: so it can be reached.
        member.unreachableInRow = 0;
        member.errorsInRow += 1;
      } else member.unreachableInRow += 1;
      if (!settings.enabled) return;
      if (reached(member.errorsInRow, settings.consecutiveErrors)) eject(member, 'errors', nowMs);
      if (reached(member.unreachableInRow, settings.consecutiveUnreachable)) eject(member, 'unreachable', nowMs);
    },
    forgive: (member, nowMs) => {
      member.ejections = 0;
      if (isEjected(member)) bringBack(member, nowMs);
      else startAnew(member);
      member.judgedFromMs = nowMs;
    },
    change: (next, nowMs) => {
      settings = next;
      lookAtMs = Math.min(lookAtMs, nowMs + settings.intervalMs);
      if (!settings.enabled) for (const member of members()) if (isEjected(member)) bringBack(member, nowMs);
    },
  };
}

const reached = (inRow: number, limit: number): boolean => limit > 0 && inRow >= limit;

function startAnew(member: Member): void {
  member.errorsInRow = 0;
  member.unreachableInRow = 0;
  clearCounts(member);
}

function clearCounts(member: Member): void {
  member.calls = 0;
  member.failures = 0;
  member.latencies.clear();
}

/** O1 */
function mayEjectOneMore(members: Iterable<Member>, { maxEjectedPercent }: OutlierSettings): boolean {
  let ready = 0;
  let ejected = 0;
  for (const member of members) {
    if (member.state !== 'up') continue;
    ready += 1;
    if (isEjected(member)) ejected += 1;
  }
  return ejected < Math.max(1, Math.floor((ready * maxEjectedPercent) / 100));
}

const failureRate = ({ calls, failures }: Member): number => failures / calls;
const worstFirst = (one: Member, other: Member): number => failureRate(other) - failureRate(one);

/** Below mean - stdevFactor * standard deviation, and by minGapPercent at least. */
function poorSuccess(members: readonly Member[], settings: SuccessRateSettings): Member[] {
  const counted = members.filter(({ calls }) => calls >= settings.minCalls);
  if (counted.length < settings.minInstances) return [];
  const mean = counted.reduce((sum, one) => sum + failureRate(one), 0) / counted.length;
  const variance = counted.reduce((sum, one) => sum + (failureRate(one) - mean) ** 2, 0) / counted.length;
  const limit = mean + Math.max(settings.stdevFactor * Math.sqrt(variance), settings.minGapPercent / 100);
  return counted.filter((one) => failureRate(one) > limit).sort(worstFirst);
}

/** Slower than `factor` times the median of all. */
function slow(members: readonly Member[], settings: LatencySettings): Member[] {
  const counted = members
    .filter(({ calls }) => calls >= settings.minCalls)
    .map((member) => ({ member, ms: member.latencies.quantile(settings.quantile) }))
    .sort((one, other) => other.ms - one.ms);
  if (counted.length < settings.minInstances) return [];
  const median = counted[Math.floor(counted.length / 2)]?.ms ?? 0;
  const limitMs = Math.max(settings.minMs, settings.factor * median);
  return counted.filter(({ ms }) => ms > limitMs).map(({ member }) => member);
}
