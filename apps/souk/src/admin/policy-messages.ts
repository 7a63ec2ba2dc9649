import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type BreakerOverrideSchema,
  type BreakerReportSchema,
  type BreakerSchema,
  type PolicyChangeSchema,
  type PolicySchema,
  type PolicySlotsSchema,
  Breaker_State as State,
  BreakerOverride_Wants as Wants,
} from '@souk/contracts/admin/v1/resilience';
import type { Runtime } from '@souk/kernel';
import type { BreakerReport, GateView, OverrideView, PolicyChange, PolicyConfig, PolicyView } from '@souk/resilience';
import { troublesOf } from './policy-troubles.ts';

/** Who laid a change over policies, and why. */
export interface ChangeNote {
  readonly actor: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** Owners of overrides that went to all instances begin so. */
const EVERYWHERE = 'command:';
const LARGEST_INT32 = 2_147_483_647;

export function policyMessage(view: PolicyView, clock: Runtime['clock']): MessageInitShape<typeof PolicySchema> {
  const { name, kind, breaker, bulkhead, shed, throttled, retryBudget, latency, counts, config } = view;
  const slots = bulkhead ?? shed?.gate;
  return {
    ...{ name, kind, troubles: troublesOf(view), config: structOf(config) },
    ...(breaker && { breaker: breakerMessage(breaker, clock) }),
    ...(slots && { slots: slotsMessage(slots) }),
    ...(shed && { shed: shed.share }),
    ...(throttled !== undefined && { throttled }),
    ...(retryBudget !== undefined && { retryBudget }),
    ...(latency && { latency }),
    counts: Object.fromEntries(Object.entries(counts).map(([what, count]) => [what, BigInt(count)])),
  };
}

function breakerMessage(
  breaker: NonNullable<PolicyView['breaker']>,
  clock: Runtime['clock'],
): MessageInitShape<typeof BreakerSchema> {
  const { failureRate, slowRate } = breaker;
  return {
    state: State[breaker.state],
    since: timestampFromMs(clock.now() - Math.max(0, Math.round(clock.monotonicMs() - breaker.sinceMs))),
    calls: breaker.calls,
    ...(failureRate !== undefined && { failureRate }),
    ...(slowRate !== undefined && { slowRate }),
    openForSeconds: breaker.openForMs / 1000,
    lastCause: breaker.lastCause ?? '',
    overrides: breaker.overrides.map(overrideMessage),
    advised: breaker.advised,
  };
}

const overrideMessage = (override: OverrideView): MessageInitShape<typeof BreakerOverrideSchema> => ({
  owner: ownerOf(override),
  reason: override.reason,
  wants: override.wants === 'open' ? Wants.OPEN : Wants.CLOSED,
  leftSeconds: override.leftMs / 1000,
  everywhere: override.owner.startsWith(EVERYWHERE),
});

/** The person, whether it holds here or everywhere. */
export const ownerOf = ({ owner }: OverrideView): string =>
  owner.startsWith(EVERYWHERE) ? owner.slice(EVERYWHERE.length) : owner;

const slotsMessage = ({
  limit,
  active,
  queued,
  zombies,
  overloaded,
}: GateView): MessageInitShape<typeof PolicySlotsSchema> => ({
  limit: Math.min(limit, LARGEST_INT32),
  ...{ active, queued, zombies, overloaded },
});

export const reportMessage = ({
  instance,
  state,
  sample,
  failureRate,
}: BreakerReport): MessageInitShape<typeof BreakerReportSchema> => ({
  ...{ instance, state: State[state], calls: sample },
  ...(failureRate !== undefined && { failureRate }),
});

export const changeMessage = (
  pattern: string,
  change: PolicyChange,
  note: ChangeNote | undefined,
): MessageInitShape<typeof PolicyChangeSchema> => ({
  ...{ pattern, change: structOf(change) },
  ...(note && { actor: note.actor, reason: note.reason, changedAt: timestampFromMs(note.atMs) }),
});

/** Gone through JSON, so that what is undefined is left out. */
export const structOf = (config: PolicyConfig | PolicyChange): JsonObject =>
  JSON.parse(JSON.stringify(config)) as JsonObject;
