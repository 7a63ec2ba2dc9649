import type { Member } from './member.ts';
import type { SlowStartSettings } from './settings.ts';

/** Time counts as at least this, so that the share at first is not nothing. */
const SHORTEST_MS = 1000;

export const isSlow = (member: Member, { windowMs }: SlowStartSettings, nowMs: number): boolean =>
  nowMs - member.slowSinceMs < windowMs;

/** Weight of the instance, less what slow start holds back: w * max(minShare, (max(t, 1 s) / window)^(1 / aggression)). Never falls as time goes on. */
export function weightNow(member: Member, settings: SlowStartSettings, nowMs: number): number {
  const { weight } = member.instance;
  if (!isSlow(member, settings, nowMs)) return weight;
  const passed = Math.max(nowMs - member.slowSinceMs, SHORTEST_MS) / settings.windowMs;
  return weight * Math.min(1, Math.max(settings.minShare, passed ** (1 / settings.aggression)));
}
