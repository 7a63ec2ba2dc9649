/** Shares of the traffic by zone. They are 1 together. */
export type ZoneShares = ReadonlyMap<string, number>;

export type ZonePlan =
  | { readonly is: 'off'; readonly why: string }
  | { readonly is: 'on'; readonly shares: ZoneShares };

const off = (why: string): ZonePlan => ({ is: 'off', why });

/**
 * How much of a caller's traffic stays in its zone: all that the zone's instances can take, which is min(1, U / O), where U is the zone's share of the
 * instances and O its share of the callers. The rest goes to other zones in proportion to what they have left, max(0, U - O).
 *
 * @param own Zone of the caller.
 * @param instances Healthy instances by zone.
 * @param callers Callers by zone. Undefined: taken to be the same number in every zone that has instances.
 */
export function planZones(
  own: string,
  instances: ReadonlyMap<string, number>,
  callers: ReadonlyMap<string, number> | undefined,
  minInstances: number,
): ZonePlan {
  if (own === '') return off('the caller has no zone');
  if (instances.size < 2) return off('all instances are in one zone');
  if (!instances.has(own)) return off('no instance is in the zone of the caller');
  const total = sum(instances);
  if (total < minInstances) return off(`${total} healthy instances are fewer than ${minInstances}`);
  const known = callers ?? new Map([...instances.keys()].map((zone) => [zone, 1]));
  if (known.size !== instances.size || [...known.keys()].some((zone) => !instances.has(zone)))
    return off('callers and instances are not in the same zones');
  const all = sum(known);
  const U = (zone: string) => (instances.get(zone) as number) / total;
  const O = (zone: string) => (known.get(zone) as number) / all;
  const local = Math.min(1, U(own) / O(own));
  const left = [...instances.keys()].map((zone) => [zone, zone === own ? 0 : Math.max(0, U(zone) - O(zone))] as const);
  const spare = left.reduce((sum, [, share]) => sum + share, 0);
  const shares = left.map(([zone, share]) => [zone, spare === 0 ? 0 : ((1 - local) * share) / spare] as const);
  return { is: 'on', shares: new Map([...shares, [own, spare === 0 ? 1 : local]]) };
}

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, one) => all + one, 0);
