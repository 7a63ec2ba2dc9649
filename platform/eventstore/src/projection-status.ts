import type { Runtime } from '@souk/kernel';
import type { Sql } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { comparePositions, encodePosition, type Position, START } from './position.ts';
import type { Followed } from './projection-work.ts';

/** How far a rebuild is. */
export interface RebuildProgress {
  readonly generation: number;
  readonly actor: string;
  readonly reason: string;
  readonly beganAt: Date;
  /** Events that the new tables have taken, of those there are now. */
  readonly done: number;
  readonly total: number;
  readonly perSecond: number;
  /** At this rate; undefined before there is one. */
  readonly secondsLeft: number | undefined;
}

/** A projection or subscription, as it stands, whichever process works on it. */
export interface ProjectionStatus {
  readonly name: string;
  readonly kind: 'projection' | 'inline' | 'subscription';
  /** Of the definition that made the live tables. */
  readonly version: number;
  readonly generation: number;
  /** FAILED: it is tried again, `error` says why it does not go on. STOPPED: no process works on it. */
  readonly state: 'LIVE' | 'REBUILDING' | 'FAILED' | 'STOPPED';
  /** As a text; of the part that is furthest behind. */
  readonly position: string;
  /** Committed events of its categories that it has not moved past. Above 10,000 an estimate. */
  readonly lagEvents: number;
  /** Age of the oldest of them. */
  readonly lagSeconds: number;
  readonly error: string | undefined;
  /** Events that wait to be redriven. */
  readonly parked: number;
  readonly partitions: number;
  readonly updatedAt: Date | undefined;
  readonly rebuild: RebuildProgress | undefined;
}

interface StatusRow {
  readonly name: string;
  readonly generation: number;
  readonly kind: ProjectionStatus['kind'];
  readonly version: number;
  readonly state: 'live' | 'building' | 'failed';
  readonly total: bigint;
  readonly actor: string;
  readonly reason: string;
  readonly build_error: string | null;
  readonly began_at: Date;
  readonly now: Date;
  readonly epoch: number | null;
  readonly xid: string;
  readonly position: bigint;
  readonly events: bigint;
  readonly error: string | null;
  readonly moved_at: Date;
  readonly alive: boolean;
  readonly lag: bigint;
  readonly oldest: Date | null;
  readonly last: bigint | null;
  readonly parked: bigint;
}

/** More than these are not counted one by one. */
const MOST_COUNTED = 10_000;

// What is committed counts, also where a transaction that is still open holds the readers up: that is a lag, too.
const STATUS = `
  /* projection-status */
  SELECT g.name, g.generation, g.kind, g.version, g.state, g.total, g.actor, g.reason, g.error AS build_error, g.began_at,
    clock_timestamp() AS now, c.epoch, c.xid::text AS xid, c.position, c.events, c.error, c.moved_at,
    EXISTS (SELECT FROM souk.es_member m WHERE m.owner = c.owner AND m.alive_until > clock_timestamp()) AS alive,
    l.lag, l.oldest,
    (SELECT e.position FROM souk.es_event e ORDER BY e.epoch DESC, e.xid DESC, e.position DESC LIMIT 1) AS last,
    (SELECT count(*) FROM souk.es_parked p WHERE p.name = g.name AND p.generation = g.generation) AS parked
  FROM unnest($1::text[], $2::text[]) AS d (name, categories)
  JOIN souk.es_generation g USING (name)
  LEFT JOIN souk.es_checkpoint c ON c.name = g.name AND c.generation = g.generation
  LEFT JOIN LATERAL (
    SELECT count(*) AS lag, min(x.at) AS oldest FROM (
      SELECT e.at FROM souk.es_event e
      WHERE (e.epoch, e.xid, e.position) > (c.epoch, c.xid, c.position)
        AND (d.categories = '' OR split_part(e.stream, '-', 1) = ANY (string_to_array(d.categories, chr(31))))
        AND (c.parts = 1 OR souk.es_partition(e.stream, c.parts) = c.part)
      ORDER BY e.epoch, e.xid, e.position LIMIT ${MOST_COUNTED}
    ) x
  ) l ON c.name IS NOT NULL
  ORDER BY g.name, g.generation, c.part`;

/** So long nobody may have a part before it counts as stopped. */
const HAND_OVER_MS = 5000;

const SEPARATOR = '\x1f';

/** In the order of their names. Those that were never prepared are left out. */
export async function readStatus(
  sql: Sql,
  runtime: Runtime,
  followed: readonly Followed[],
): Promise<ProjectionStatus[]> {
  const { rows } = await sql.query<StatusRow>(STATUS, [
    followed.map(({ name }) => name),
    followed.map(({ categories }) => categories.join(SEPARATOR)),
  ]);
  const byName = Map.groupBy(rows, ({ name }) => name);
  return [...byName.values()].map((parts) => statusOf(parts, runtime.clock.now()));
}

function statusOf(rows: readonly StatusRow[], nowMs: number): ProjectionStatus {
  const live = rows.filter(({ state }) => state === 'live');
  const building = rows.filter(({ state }) => state === 'building');
  const failed = rows.find(({ state }) => state === 'failed');
  const [first] = (live.length > 0 ? live : rows) as [StatusRow];
  const { name, kind, version, generation } = first;
  const followed = live.filter(({ epoch }) => epoch !== null);
  const error = [...followed, ...building].find((row) => row.error !== null)?.error ?? undefined;
  const positions = followed.map(positionOf);
  const furthest = positions.reduce(earlier, positions[0] ?? START);
  return {
    ...{ name, kind, version, generation },
    state: stateOf(followed, building, kind),
    position: positions.length === 0 ? '' : encodePosition(furthest),
    lagEvents: sum(followed.map(lagOf)),
    lagSeconds: Math.max(0, ...followed.map(({ oldest }) => (oldest === null ? 0 : (nowMs - oldest.getTime()) / 1000))),
    error: error ?? (failed?.build_error ? `the last rebuild failed: ${failed.build_error}` : undefined),
    parked: Number(first.parked),
    partitions: followed.length,
    updatedAt: latest(followed.map(({ moved_at }) => moved_at)),
    rebuild: rebuildOf(building),
  };
}

function stateOf(
  live: readonly StatusRow[],
  building: readonly StatusRow[],
  kind: ProjectionStatus['kind'],
): ProjectionStatus['state'] {
  if ([...live, ...building].some(({ error }) => error !== null)) return 'FAILED';
  if (building.length > 0) return 'REBUILDING';
  const isKept = ({ alive, now, moved_at }: StatusRow) => alive || now.getTime() - moved_at.getTime() < HAND_OVER_MS;
  return kind !== 'inline' && !live.every(isKept) ? 'STOPPED' : 'LIVE';
}

function rebuildOf(parts: readonly StatusRow[]): RebuildProgress | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const done = sum(parts.map(({ events }) => Number(events)));
  const total = Math.max(Number(first.total), done + sum(parts.map(lagOf)));
  const seconds = (first.now.getTime() - first.began_at.getTime()) / 1000;
  const perSecond = seconds > 0 ? done / seconds : 0;
  const { generation, actor, reason, began_at: beganAt } = first;
  const secondsLeft = perSecond > 0 ? (total - done) / perSecond : undefined;
  return { generation, actor, reason, beganAt, done, total, perSecond, secondsLeft };
}

/** Numbers of events have gaps, and parts share them: of many, the estimate is rather too high. */
const lagOf = ({ lag, last, position }: StatusRow): number =>
  Number(lag) < MOST_COUNTED ? Number(lag) : Math.max(Number(lag), Number(last ?? 0n) - Number(position));

const positionOf = ({ epoch, xid, position }: StatusRow): Position => ({
  epoch: epoch ?? 0,
  xid: BigInt(xid),
  position,
});
const earlier = (left: Position, right: Position): Position => (comparePositions(left, right) <= 0 ? left : right);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
const latest = (dates: readonly Date[]): Date | undefined =>
  dates.length === 0 ? undefined : new Date(Math.max(...dates.map((date) => date.getTime())));

/** Shows on a dashboard what {@link readStatus} says. */
export function createStatusGauges({ metrics }: Telemetry): (all: readonly ProjectionStatus[]) => void {
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: ['projection'] });
  const events = gauge('souk_projection_lag_events', 'Events that a projection or subscription has not moved past');
  const seconds = gauge(
    'souk_projection_lag_seconds',
    'Age of the oldest event that a projection or subscription has not moved past',
  );
  const parked = gauge('souk_projection_parked_events', 'Events that wait to be redriven');
  const up = gauge(
    'souk_projection_up',
    '1 while a projection or subscription goes on, 0 when it failed or nobody works on it',
  );
  return (all) => {
    for (const one of all) {
      const labels = { projection: one.name };
      events.set(one.lagEvents, labels);
      seconds.set(one.lagSeconds, labels);
      parked.set(one.parked, labels);
      up.set(one.state === 'LIVE' || one.state === 'REBUILDING' ? 1 : 0, labels);
    }
  };
}
