import {
  type Breaker,
  type BreakerOverride,
  Breaker_State as BreakerState,
  type Policy,
  type PolicyChange,
  BreakerOverride_Wants as Wants,
} from '@souk/contracts/admin/v1/resilience';
import type { Paint, Palette } from './palette.ts';
import { span } from './span.ts';

/** How a state of a breaker looks. */
export function statePaint(state: BreakerState, palette: Palette): Paint {
  if (state === BreakerState.CLOSED) return palette.green;
  return [BreakerState.OPEN, BreakerState.FORCED_OPEN].includes(state) ? palette.red : palette.yellow;
}

export const stateOf = (breaker: Breaker | undefined): string =>
  breaker === undefined ? '' : (BreakerState[breaker.state] ?? '');

/** `isolated by operator, 9 min 12 s left: the provider asked us to wait`. */
export function overrideWords({ owner, reason, wants, leftSeconds, everywhere }: BreakerOverride): string {
  const what = wants === Wants.CLOSED ? 'kept closed' : 'isolated';
  return `${what} by ${owner}${everywhere ? ', on all instances' : ''}, ${span(leftSeconds * 1000)} left: ${reason}`;
}

/** `rpc:payments.*  {"timeout":500}  by operator: the provider is slow tonight`. */
export function changeWords({ pattern, change, actor, reason }: PolicyChange): string {
  const who = actor === '' ? '' : `  by ${actor}: ${reason}`;
  return `${pattern}  ${JSON.stringify(change ?? {})}${who}`;
}

/** Milliseconds as short as they can be read: `0.05 ms`, `2.3 ms`, `103 ms`, `1.2 s`. */
export function brief(ms: number): string {
  if (ms >= 100) return span(ms);
  return `${Number(ms.toPrecision(2))} ms`;
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

export const countOf = ({ counts }: Policy, name: string): number => Number(counts[name] ?? 0n);

/** Calls and attempts that a layer kept back. */
export const refusedOf = ({ counts }: Policy): number =>
  Object.entries(counts)
    .filter(([name]) => name.startsWith('refused_'))
    .reduce((sum, [, count]) => sum + Number(count), 0);
