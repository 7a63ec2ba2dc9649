import type { ServiceView } from '../registry.ts';
import type { Group } from './group.ts';
import { isEjected, type Member, type MemberState } from './member.ts';
import type { AlgorithmName, BalancingSettings } from './settings.ts';
import { isSlow, weightNow } from './slow-start.ts';

/** The stages that an instance passes, in their order. */
export type Stage = 'split' | 'metadata' | 'subset' | 'zone' | 'health' | 'ejection' | 'weight' | 'limit';

export interface InstanceView {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly version: string;
  readonly zone: string;
  readonly state: MemberState | 'ejected' | 'slow start';
  /** Milliseconds until an ejection ends; 0 when there is none. */
  readonly ejectedForMs: number;
  /** How often it was ejected lately: the next one lasts so much longer. */
  readonly ejections: number;
  readonly weight: number;
  /** With slow start. */
  readonly weightNow: number;
  readonly inFlight: number;
  /** Moving average in milliseconds. */
  readonly latencyMs: number | undefined;
  readonly picks: number;
  readonly errors: number;
  readonly unreachable: number;
  /** What keeps new calls away from it, and in words. Undefined: nothing does. */
  readonly dropped: { readonly stage: Stage; readonly why: string } | undefined;
}

/** For an operator: who is asked, who is not, and why. */
export interface PickerView {
  readonly service: string;
  readonly source: ServiceView['source'] | 'none';
  readonly algorithm: AlgorithmName;
  /** Too few instances of some version are healthy: all are asked. */
  readonly panic: boolean;
  readonly picks: number;
  readonly refusals: number;
  /** Share of the traffic that goes to each zone, or why zones do not matter. */
  readonly zones: string;
  readonly instances: readonly InstanceView[];
}

export interface ViewInit {
  readonly settings: BalancingSettings;
  readonly nowMs: number;
  /** By member: the stage that took it out of every group. */
  readonly outside: ReadonlyMap<Member, 'metadata' | 'subset'>;
  /** The group in which the member gets calls without a demand for its version. */
  readonly groupOf: (member: Member) => Group | undefined;
}

export function viewOf(member: Member, init: ViewInit): InstanceView {
  const { instance } = member;
  const { settings, nowMs } = init;
  const state = isEjected(member) && member.state === 'up' ? 'ejected' : member.state;
  return {
    id: instance.id,
    address: instance.address,
    port: instance.port,
    version: instance.version,
    zone: instance.zone,
    state: state === 'up' && isSlow(member, settings.slowStart, nowMs) ? 'slow start' : state,
    ejectedForMs: isEjected(member) ? Math.max(0, member.ejectedUntilMs - nowMs) : 0,
    ejections: member.ejections,
    weight: instance.weight,
    weightNow: weightNow(member, settings.slowStart, nowMs),
    inFlight: member.inFlight,
    latencyMs: Number.isNaN(member.latencyMs) ? undefined : member.latencyMs,
    picks: member.picks,
    errors: member.errors,
    unreachable: member.unreachable,
    dropped: whyDropped(member, init),
  };
}

export const zonesInWords = ({ zones }: Group): string =>
  zones.is === 'off'
    ? zones.why
    : [...zones.shares].map(([zone, share]) => `${zone} ${(100 * share).toFixed(0)} %`).join(', ');

const CONDITIONS: Readonly<Record<Exclude<MemberState, 'up'>, string>> = {
  starting: 'it has not been ready yet',
  unhealthy: 'it is not ready any more',
  maintenance: 'it takes no new work',
  draining: 'it is on its way out',
  terminated: 'it has ended',
};

function whyDropped(member: Member, { settings, nowMs, outside, groupOf }: ViewInit): InstanceView['dropped'] {
  const { instance } = member;
  const out = outside.get(member);
  if (out === 'metadata') return { stage: out, why: 'its metadata is not what subset.metadata asks for' };
  if (out === 'subset') return { stage: out, why: 'other callers use it: this one has its own subset' };
  const group = groupOf(member);
  if (group === undefined) return { stage: 'split', why: `version '${instance.version}' has no share of the traffic` };
  if (instance.weight === 0) return { stage: 'weight', why: 'its weight is 0' };
  const asked = group.whole.takers.includes(member);
  if (!asked && member.state !== 'up') return { stage: 'health', why: CONDITIONS[member.state] };
  if (!asked) {
    const seconds = Math.ceil((member.ejectedUntilMs - nowMs) / 1000);
    return { stage: 'ejection', why: `ejected for ${member.ejectedFor}, ${seconds} s left` };
  }
  if (group.zones.is === 'on' && (group.zones.shares.get(instance.zone) ?? 0) === 0)
    return { stage: 'zone', why: 'the zone of this caller has room for all of its calls' };
  if (settings.maxInFlight > 0 && member.inFlight >= settings.maxInFlight)
    return { stage: 'limit', why: `it has ${member.inFlight} calls in flight, the most there may be` };
  return undefined;
}

/** Why no instance can be picked, in a few words. */
export function whyNone(instances: readonly InstanceView[]): string {
  if (instances.length === 0) return 'none is registered';
  const counts = new Map<string, number>();
  for (const { state, dropped } of instances) {
    const said =
      dropped?.stage === 'health' || dropped?.stage === 'ejection' ? state : (dropped?.why ?? 'tried already');
    counts.set(said, (counts.get(said) ?? 0) + 1);
  }
  return `${instances.length} registered, of which ${[...counts].map(([said, count]) => `${count}: ${said}`).join('; ')}`;
}
