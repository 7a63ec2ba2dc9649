import { goesByKey } from './algorithms.ts';
import type { Fallback } from './balancing-metrics.ts';
import { createGroup, fillGroup, type Group, type GroupInit } from './group.ts';
import { isHealthy, isSuspect, type Member } from './member.ts';
import type { BalancingSettings } from './settings.ts';
import { callerNumber, hasMetadata, subsetOf } from './subset.ts';

/** Who may be asked, by version. */
export interface Groups {
  /** Who gets the calls that are nobody else's. */
  readonly stable: Group;
  /** Why the stable group is not what the settings ask for. */
  readonly fallbacks: readonly Fallback[];
  /** What took a member out of every group. */
  readonly outside: ReadonlyMap<Member, 'metadata' | 'subset'>;
  /** @returns undefined when the version has no healthy instance */
  healthyOf(version: string, nowMs: number): Group | undefined;
  /** The group in which the member gets calls that do not demand its version. */
  usualOf(member: Member, nowMs: number): Group | undefined;
  /** Whether too few instances of a version are healthy. */
  panics(): boolean;
  /** @param sorted Everybody who is there, in the order of ids. */
  rebuild(sorted: readonly Member[], nowMs: number): void;
}

export function createGroups(init: GroupInit, callerId: string): Groups {
  const { settings } = init;
  const stable = createGroup(init);
  const versions = new Map<string, Group>();
  const canaries = new Set(settings.split.canaries.map(({ version }) => version));
  let choice: Candidates = { members: [], fellBack: false, outside: new Map() };
  let present: ReadonlySet<string> = new Set();
  let fallbacks: readonly Fallback[] = [];

  const fill = (version: string, nowMs: number): Group | undefined => {
    if (!present.has(version)) {
      versions.delete(version);
      return undefined;
    }
    const group = versions.get(version) ?? createGroup(init);
    versions.set(version, group);
    const its = choice.members.filter(({ instance }) => instance.version === version);
    fillGroup(group, its, init, nowMs);
    return group;
  };
  const groupOf = (version: string, nowMs: number) => versions.get(version) ?? fill(version, nowMs);

  return {
    stable,
    get fallbacks() {
      return fallbacks;
    },
    get outside() {
      return choice.outside;
    },
    healthyOf: (version, nowMs) => {
      const group = groupOf(version, nowMs);
      return group !== undefined && group.healthy > 0 ? group : undefined;
    },
    usualOf: (member, nowMs) => {
      if (stable.members.includes(member)) return stable;
      const { version } = member.instance;
      const percent = settings.split.canaries.find((one) => one.version === version)?.percent ?? 0;
      return percent > 0 && !choice.outside.has(member) ? groupOf(version, nowMs) : undefined;
    },
    panics: () => stable.panic || [...canaries].some((version) => versions.get(version)?.panic === true),
    rebuild: (sorted, nowMs) => {
      for (const member of sorted) member.pools = [];
      choice = candidates(sorted, settings, callerId);
      const all = choice.members;
      present = new Set(all.map(({ instance }) => instance.version));
      const { stable: wanted } = settings.split;
      const usual = all.filter(({ instance: { version } }) =>
        wanted === '' ? !canaries.has(version) : version === wanted,
      );
      const empty = usual.length < all.length && !usual.some(isUsable);
      fallbacks = [
        ...(choice.fellBack ? ['metadata_empty' as const] : []),
        ...(empty ? ['stable_empty' as const] : []),
      ];
      fillGroup(stable, empty ? all : usual, init, nowMs);
      for (const version of [...versions.keys()]) fill(version, nowMs);
    },
  };
}

interface Candidates {
  readonly members: readonly Member[];
  /** Nobody has the metadata, so everybody is asked. */
  readonly fellBack: boolean;
  readonly outside: ReadonlyMap<Member, 'metadata' | 'subset'>;
}

/** Those who may be asked at all. */
function candidates(sorted: readonly Member[], { subset, algorithm }: BalancingSettings, callerId: string): Candidates {
  const wanted = Object.entries(subset.metadata);
  const fitting = wanted.length === 0 ? sorted : sorted.filter(({ instance }) => hasMetadata(instance, wanted));
  const fellBack = subset.otherwise === 'all' && fitting.length < sorted.length && !fitting.some(isUsable);
  const among = fellBack ? sorted : fitting;
  // Where keys stick, every caller must see the same instances.
  const dealt = subset.size > 0 && among.length > subset.above && !goesByKey(algorithm);
  const members = dealt ? subsetOf(among, subset.size, callerNumber(callerId)) : among;
  if (members.length === sorted.length) return { members, fellBack, outside: new Map() };
  const fits = new Set(among);
  const stays = new Set(members);
  const out = sorted.filter((member) => !stays.has(member));
  return { members, fellBack, outside: new Map(out.map((one) => [one, fits.has(one) ? 'subset' : 'metadata'])) };
}

const isUsable = (member: Member): boolean => isHealthy(member) || isSuspect(member);
