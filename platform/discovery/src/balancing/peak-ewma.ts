import type { Random } from '@souk/kernel';
import type { Algorithm, Draw } from './algorithm.ts';
import { betterOfTwo } from './choices.ts';
import type { Member } from './member.ts';
import type { PeakEwmaSettings } from './settings.ts';

/** Worse than any latency: who has never answered gets one call at once, and no second one before that is answered. */
const UNKNOWN = 1e9;

const fade = (member: Member, { tauMs }: PeakEwmaSettings, nowMs: number): number =>
  Math.exp(-Math.max(0, nowMs - member.costAtMs) / tauMs);

/** Takes up a latency: a higher one at once, a lower one by and by. */
export function observe(member: Member, ms: number, settings: PeakEwmaSettings, nowMs: number): void {
  const known = member.costMs;
  const kept = fade(member, settings, nowMs);
  member.costMs = known > ms ? known * kept + ms * (1 - kept) : ms;
  member.costAtMs = nowMs;
}

/** What a call on the member costs. What is known fades while nothing is heard, or who was slow once would never be asked again. */
export function loadOf(member: Member, settings: PeakEwmaSettings, nowMs: number): number {
  if (Number.isNaN(member.costMs)) return member.inFlight === 0 ? 0 : UNKNOWN + member.inFlight;
  return member.costMs * fade(member, settings, nowMs) * (member.inFlight + 1);
}

/** The better of two that are drawn by weight, by latency times calls in flight. */
export function createPeakEwma(random: Random, settings: PeakEwmaSettings): Algorithm {
  const next = () => random.next();
  const score = (member: Member, weight: number, draw: Draw): number => loadOf(member, settings, draw.nowMs) / weight;
  return { change: () => {}, pick: (pool, draw) => betterOfTwo(pool, draw, score, next) };
}
