import type { Sql, Transaction } from '@souk/store';
import { projectionErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import { encodePosition, type Position } from './position.ts';

/** A part of a generation. */
export interface Part {
  readonly name: string;
  readonly generation: number;
  /** From 0. */
  readonly part: number;
  readonly parts: number;
}

/** A part that this process works on. */
export interface HeldPart extends Part {
  /** Of this holding. Whoever comes next has a higher one. */
  readonly fence: bigint;
}

/** How far a part is, as it was saved last. */
export interface Checkpoint extends HeldPart {
  readonly position: Position;
}

export interface Move {
  readonly from: Position;
  readonly to: Position;
  /** Events of its interest between the two. */
  readonly events: number;
  /** It has seen everything that was there. */
  readonly caughtUp: boolean;
}

// The fence keeps out who lost the part, and `from` who gave a transaction up that commits after all. The row stays locked until the
// transaction ends: a move, a redrive and a switch of one part come one after the other.
const MOVE = `
  /* move-checkpoint */
  UPDATE souk.es_checkpoint
  SET epoch = $8, xid = $9::xid8, position = $10, events = events + $11, caught_up = $12, moved_at = clock_timestamp(), error = NULL
  WHERE name = $1 AND generation = $2 AND part = $3 AND fence = $4 AND (epoch, xid, position) = ($5::int, $6::xid8, $7::bigint)`;

/** @throws PROJECTION_FENCED when the part has gone on elsewhere */
export async function moveCheckpoint(sql: Sql, held: HeldPart, move: Move): Promise<void> {
  const { from, to } = move;
  const { rowCount } = await sql.query(MOVE, [
    ...[held.name, held.generation, held.part, held.fence],
    ...[from.epoch, from.xid.toString(), from.position, to.epoch, to.xid.toString(), to.position],
    ...[move.events, move.caughtUp],
  ]);
  if (rowCount === 0) throw projectionErrors.FENCED({ name: held.name, part: held.part });
}

export interface CheckpointRow {
  readonly name: string;
  readonly generation: number;
  readonly part: number;
  readonly parts: number;
  readonly epoch: number;
  readonly xid: string;
  readonly position: bigint;
  readonly fence: bigint;
}

export const CHECKPOINT_COLUMNS =
  'c.name, c.generation, c.part, c.parts, c.epoch, c.xid::text AS xid, c.position, c.fence';

export const toCheckpoint = ({ epoch, xid, position, ...part }: CheckpointRow): Checkpoint => ({
  ...part,
  position: { epoch, xid: BigInt(xid), position },
});

const READ = `
  /* read-checkpoint */
  SELECT ${CHECKPOINT_COLUMNS} FROM souk.es_checkpoint c WHERE name = $1 AND generation = $2 AND part = $3`;

/** Undefined when its generation is gone. */
export async function readCheckpoint(sql: Sql, part: Part): Promise<Checkpoint | undefined> {
  const [row] = (await sql.query<CheckpointRow>(READ, [part.name, part.generation, part.part])).rows;
  return row && toCheckpoint(row);
}

const NOTE_ERROR = `
  /* note-checkpoint-error */
  UPDATE souk.es_checkpoint c SET error = $5 FROM (
    SELECT ctid FROM souk.es_checkpoint WHERE name = $1 AND generation = $2 AND part = $3 AND fence = $4 FOR UPDATE SKIP LOCKED
  ) w WHERE c.ctid = w.ctid`;

/** Says to everybody why a part does not go on; the next move takes it back. Does not wait for a transaction that hangs. */
export async function noteError(sql: Sql, held: HeldPart, error: string): Promise<void> {
  await sql.query(NOTE_ERROR, [held.name, held.generation, held.part, held.fence, error]);
}

const PARKED_STREAMS = `
  /* parked-streams */
  SELECT DISTINCT p.stream FROM souk.es_parked p WHERE p.name = $1 AND p.generation = $2 AND p.stream = ANY ($3::text[])`;

/** Those of the streams whose later events wait. Certain in the transaction that moves the part, after the move. */
export async function parkedStreams(
  sql: Sql,
  part: Part,
  events: readonly RecordedEvent[],
): Promise<ReadonlySet<string>> {
  const streams = [...new Set(events.map(({ stream }) => stream))];
  const { rows } = await sql.query<{ stream: string }>(PARKED_STREAMS, [part.name, part.generation, streams]);
  return new Set(rows.map(({ stream }) => stream));
}

// Several events may stem from one that was recorded.
const PARK = `
  /* park-events */
  INSERT INTO souk.es_parked (name, generation, stream, version, type, error)
  SELECT $1, $2, e.stream, e.version, e.type, $6 FROM unnest($3::text[], $4::bigint[], $5::text[]) AS e (stream, version, type)
  ON CONFLICT DO NOTHING`;

/** @param error Why the first of them failed; undefined: they wait behind one that did. */
export function parkEvents(tx: Transaction, part: Part, events: readonly RecordedEvent[], error?: string): void {
  if (events.length === 0) return;
  tx.defer(PARK, [
    ...[part.name, part.generation],
    ...[events.map(({ stream }) => stream), events.map(({ version }) => version), events.map(({ type }) => type)],
    error ?? null,
  ]);
}

const COUNT_POISON = `
  /* count-parked */
  SELECT count(DISTINCT stream)::int AS count FROM souk.es_parked WHERE name = $1 AND generation = $2`;

export async function countParkedStreams(sql: Sql, part: Part): Promise<number> {
  return (await sql.query<{ count: number }>(COUNT_POISON, [part.name, part.generation])).rows[0]?.count ?? 0;
}

/** For people. */
export const partName = ({ name, generation, part, parts }: Part): string =>
  `${name}@${generation}${parts === 1 ? '' : ` ${part + 1}/${parts}`}`;

/** What its key is in maps of this process. */
export const partKey = ({ name, generation, part }: Part): string => `${name}/${generation}/${part}`;

export const positionText = (position: Position): string => encodePosition(position);
