import type { Random } from '@souk/kernel';
import { createAlgorithm, goesByKey } from './algorithms.ts';
import { isHealthy, isSuspect, type Member } from './member.ts';
import { ABSENT, createPool, fillPool, KEEPS, type Pool, TAKES } from './pool.ts';
import type { BalancingSettings } from './settings.ts';
import { planZones, type ZonePlan } from './zone.ts';

/** Instances that a version of the software has, and how calls spread over them. */
export interface Group {
  readonly whole: Pool;
  readonly zonePools: Map<string, Pool>;
  members: readonly Member[];
  healthy: number;
  /** Too few are healthy: all are asked. */
  panic: boolean;
  zones: ZonePlan;
  /** Of the zones that get a share, with sums of the shares up to and including each. */
  zonePicks: readonly { readonly pool: Pool; readonly below: number }[];
}

export interface GroupInit {
  readonly settings: BalancingSettings;
  readonly random: Random;
  /** Where the caller is. Empty: nowhere in particular. */
  readonly zone: string;
  readonly callers: (() => ReadonlyMap<string, number> | undefined) | undefined;
}

export const createGroup = ({ settings, random }: GroupInit): Group => ({
  whole: createPool(createAlgorithm(settings, random)),
  zonePools: new Map(),
  members: [],
  healthy: 0,
  panic: false,
  zones: { is: 'off', why: '' },
  zonePicks: [],
});

/** @param members In the order of their ids. */
export function fillGroup(group: Group, members: readonly Member[], init: GroupInit, nowMs: number): void {
  const { settings } = init;
  const able = members.filter(({ instance }) => instance.weight > 0);
  const healthy = able.filter(isHealthy);
  const takers = panicking(able, healthy, settings.panicPercent) ?? healthy;
  group.members = members;
  group.healthy = healthy.length;
  group.panic = takers !== healthy;
  const byKey = goesByKey(settings.algorithm);
  const known = byKey ? able.filter(({ state }) => state !== 'starting' && state !== 'terminated') : [];
  fillPool(group.whole, takers, known, rolesOf(known, takers), settings.slowStart, nowMs);
  fillZones(
    group,
    byKey ? { is: 'off', why: `${settings.algorithm} goes by the key` } : zonesFor(group, init),
    init,
    nowMs,
  );
}

/** Everybody to ask when health is ignored. @returns undefined when enough are healthy, or nobody else is there */
function panicking(able: readonly Member[], healthy: readonly Member[], percent: number): Member[] | undefined {
  if (percent === 0) return undefined;
  const suspects = able.filter(isSuspect);
  const all = healthy.length + suspects.length;
  if (all > 0)
    return healthy.length * 100 < percent * all ? able.filter((one) => isHealthy(one) || isSuspect(one)) : undefined;
  const draining = able.filter(({ state }) => state === 'draining');
  return draining.length > 0 ? draining : undefined;
}

function rolesOf(known: readonly Member[], takers: readonly Member[]): Uint8Array {
  const taking = new Set(takers);
  const keeps = ({ state }: Member) => state === 'draining' || state === 'maintenance';
  return Uint8Array.from(known, (member) => (taking.has(member) ? TAKES : keeps(member) ? KEEPS : ABSENT));
}

function zonesFor(group: Group, { settings, zone, callers }: GroupInit): ZonePlan {
  if (!settings.zone.prefer) return { is: 'off', why: 'the settings say so' };
  if (group.panic) return { is: 'off', why: 'too few instances are healthy' };
  const counts = new Map<string, number>();
  for (const { instance } of group.whole.takers) counts.set(instance.zone, (counts.get(instance.zone) ?? 0) + 1);
  return planZones(zone, counts, callers?.(), settings.zone.minInstances);
}

function fillZones(group: Group, plan: ZonePlan, { settings, random }: GroupInit, nowMs: number): void {
  group.zones = plan;
  group.zonePicks = [];
  for (const zone of group.zonePools.keys())
    if (plan.is === 'off' || !plan.shares.has(zone)) group.zonePools.delete(zone);
  if (plan.is === 'off') return;
  const { takers } = group.whole;
  let sum = 0;
  group.zonePicks = [...plan.shares]
    .filter(([, share]) => share > 0)
    .map(([zone, share]) => {
      const pool = group.zonePools.get(zone) ?? createPool(createAlgorithm(settings, random));
      group.zonePools.set(zone, pool);
      fillPool(
        pool,
        takers.filter(({ instance }) => instance.zone === zone),
        [],
        new Uint8Array(0),
        settings.slowStart,
        nowMs,
      );
      sum += share;
      return { pool, below: sum };
    });
}
