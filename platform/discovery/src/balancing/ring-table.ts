import { mix, pairHash } from './hash.ts';
import type { Member } from './member.ts';
import type { RingHashSettings } from './settings.ts';

const INDEXES = 2 ** 20;

/** Points of every instance on a ring of 2^32 places, in the order of places, then of owners. */
export interface Ring {
  readonly places: Uint32Array;
  /** Of each point: index among the known members. */
  readonly owners: Uint32Array;
  /** Of each member: id and number of points. */
  readonly counts: ReadonlyMap<string, number>;
}

export const EMPTY_RING: Ring = { places: new Uint32Array(0), owners: new Uint32Array(0), counts: new Map() };

/**
 * The ring of these members, the same whatever the ring was before. Points of members that stay are taken over: to sort all of them again would hold
 * up the process for a tenth of a second with a thousand instances.
 *
 * @param known In the order of ids.
 * @param before The ring of `was`, another list in the order of ids.
 */
export function ringOf(
  known: readonly Member[],
  settings: RingHashSettings,
  before: Ring,
  was: readonly string[],
): Ring {
  const counts = pointsOf(known, settings);
  const stays = (id: string) => counts.get(id) === before.counts.get(id);
  const indexOf = new Map(known.map(({ instance }, index) => [instance.id, index]));
  const moved = Float64Array.from(was, (id) => (stays(id) ? (indexOf.get(id) as number) : -1));
  const fresh = freshPoints(known, counts, (id) => !before.counts.has(id) || !stays(id));

  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const places = new Uint32Array(total);
  const owners = new Uint32Array(total);
  let old = 0;
  let added = 0;
  for (let at = 0; at < total; at++) {
    while (old < before.owners.length && moved[before.owners[old] as number] === -1) old += 1;
    const kept =
      old < before.owners.length
        ? (before.places[old] as number) * INDEXES + (moved[before.owners[old] as number] as number)
        : Number.POSITIVE_INFINITY;
    const next = added < fresh.length ? (fresh[added] as number) : Number.POSITIVE_INFINITY;
    if (kept <= next) old += 1;
    else added += 1;
    const point = Math.min(kept, next);
    places[at] = Math.floor(point / INDEXES);
    owners[at] = point % INDEXES;
  }
  return { places, owners, counts };
}

function pointsOf(known: readonly Member[], { pointsPerWeight, maxPoints }: RingHashSettings): Map<string, number> {
  const wanted = known.reduce((sum, { instance }) => sum + instance.weight * pointsPerWeight, 0);
  const scale = Math.min(1, maxPoints / wanted);
  return new Map(
    known.map(({ instance }) => [instance.id, Math.max(1, Math.round(instance.weight * pointsPerWeight * scale))]),
  );
}

/** Place and owner in one number, so that the engine sorts numbers. */
function freshPoints(
  known: readonly Member[],
  counts: ReadonlyMap<string, number>,
  isFresh: (id: string) => boolean,
): Float64Array {
  const points: number[] = [];
  for (const [index, { instance, hash }] of known.entries()) {
    if (!isFresh(instance.id)) continue;
    const count = counts.get(instance.id) as number;
    for (let n = 1; n <= count; n++) points.push(pairHash(mix(n), hash) * INDEXES + index);
  }
  return Float64Array.from(points).sort();
}
