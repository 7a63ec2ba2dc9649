import type { Context } from '@souk/kernel';
import type { Database, Sql, Transaction } from '@souk/store';
import { projectionErrors } from './errors.ts';
import type { EventStore } from './event-store.ts';
import { type Position, START } from './position.ts';
import { type ProjectionDefinition, tableNames } from './projection.ts';
import { type Followed, versionOf } from './projection-work.ts';

/** Who wants new tables, and why. */
export interface RebuildReason {
  readonly actor: string;
  readonly reason: string;
}

export interface GenerationRow {
  readonly name: string;
  readonly generation: number;
  readonly version: number;
  readonly tables: readonly string[];
  readonly state: 'live' | 'building' | 'failed';
  readonly total: bigint;
  readonly actor: string;
  readonly reason: string;
  readonly error: string | null;
  readonly began_at: Date;
}

const LOCK = `
  /* lock-projection */
  SELECT pg_advisory_xact_lock(hashtextextended('souk.projection ' || $1, 0))`;

const GENERATIONS = `
  /* generations */
  SELECT name, generation, version, tables, state, total, actor, reason, error, began_at
  FROM souk.es_generation WHERE name = $1 ORDER BY generation`;

const ADD_GENERATION = `
  /* add-generation */
  INSERT INTO souk.es_generation (name, generation, kind, version, tables, state, total, actor, reason, live_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, CASE WHEN $6 = 'live' THEN clock_timestamp() END)`;

const ADD_CHECKPOINTS = `
  /* add-checkpoints */
  INSERT INTO souk.es_checkpoint (name, generation, part, parts, epoch, xid, position)
  SELECT $1, $2, p, $3, $4, $5::xid8, $6 FROM generate_series(0, $3::int - 1) p`;

const COUNT = `
  /* count-events */
  SELECT count(*) AS count FROM souk.es_event e
  WHERE cardinality($1::text[]) = 0 OR split_part(e.stream, '-', 1) = ANY ($1::text[])`;

const END_BUILD = `
  /* end-build */
  UPDATE souk.es_generation SET state = 'failed', error = $3 WHERE name = $1 AND generation = $2`;

const FORGET = [
  '/* forget-checkpoints */ DELETE FROM souk.es_checkpoint WHERE name = $1 AND generation = $2',
  '/* forget-parked */ DELETE FROM souk.es_parked WHERE name = $1 AND generation = $2',
] as const;
const FORGET_FAILED = `/* forget-failed */ DELETE FROM souk.es_generation WHERE name = $1 AND state = 'failed'`;
const LOCK_CHECKPOINTS = `
  /* lock-checkpoints */
  SELECT FROM souk.es_checkpoint WHERE name = $1 AND generation = $2 ORDER BY part FOR UPDATE`;
const EXISTS = '/* table-exists */ SELECT to_regclass($1) IS NOT NULL AS exists';

/** One at a time changes the generations of a projection. */
export async function generationsOf(tx: Transaction, name: string): Promise<readonly GenerationRow[]> {
  tx.defer(LOCK, [name]);
  return (await tx.query<GenerationRow>(GENERATIONS, [name])).rows;
}

export async function tableExists(sql: Sql, table: string): Promise<boolean> {
  return (await sql.query<{ exists: boolean }>(EXISTS, [table])).rows[0]?.exists ?? false;
}

/**
 * Makes what a projection or subscription needs, once, and begins a rebuild when the tables were made by an older version. To be called at every
 * start; several processes may do it at once.
 */
export async function prepareGeneration(
  db: Database,
  ctx: Context,
  store: EventStore,
  followed: Followed,
): Promise<void> {
  const { name } = followed;
  await db.tx(ctx, async (tx) => {
    const rows = await generationsOf(tx, name);
    const live = rows.find(({ state }) => state === 'live');
    if (live === undefined) return addFirst(tx, store, followed);
    const version = versionOf(followed);
    if (followed.kind === 'subscription' || live.version >= version) return;
    const building = rows.find(({ state }) => state === 'building');
    if (building !== undefined && building.version >= version) return;
    if (building !== undefined) await dropBuild(tx, building, 'a newer version of the definition came');
    await addBuild(tx, followed, rows, { actor: 'start', reason: `version ${live.version} became ${version}` });
  });
}

async function addFirst(tx: Transaction, store: EventStore, followed: Followed): Promise<void> {
  const why = { actor: 'start', reason: 'first start' };
  if (followed.kind === 'subscription') {
    const from = followed.from === 'now' ? await store.headPosition(tx) : START;
    addGeneration(tx, followed, { generation: 1, state: 'live', total: 0n, from, ...why });
    return;
  }
  const [first] = followed.tables as [string];
  const isThere = followed.mode === 'inline' && (await tableExists(tx, first));
  if (!isThere) await tx.script(followed.create(tableNames(followed, false)));
  addGeneration(tx, followed, { generation: 1, state: 'live', total: 0n, from: START, ...why });
  if (isThere || followed.mode !== 'inline') return;
  if ((await countEvents(tx, followed)) > 0n) await addBuild(tx, followed, await generationsOf(tx, followed.name), why);
}

/**
 * Begins a rebuild, unless one is under way.
 * @throws PROJECTION_NEWER when a newer version has made the live tables; what the SQL of `create` fails with
 */
export async function beginRebuild(
  db: Database,
  ctx: Context,
  projection: ProjectionDefinition,
  why: RebuildReason,
): Promise<number> {
  return db.tx(ctx, async (tx) => {
    const rows = await generationsOf(tx, projection.name);
    const { name, version: known } = projection;
    const newer = rows.find(({ state, version }) => state !== 'failed' && version > known);
    if (newer !== undefined) throw projectionErrors.NEWER({ name, known, found: newer.version });
    const building = rows.find(({ state }) => state === 'building');
    return building?.generation ?? addBuild(tx, projection, rows, why);
  });
}

async function addBuild(
  tx: Transaction,
  projection: ProjectionDefinition,
  rows: readonly GenerationRow[],
  why: RebuildReason,
): Promise<number> {
  const generation = Math.max(...rows.map((row) => row.generation)) + 1;
  tx.defer(FORGET_FAILED, [projection.name]);
  const next = tableNames(projection, true);
  await tx.script(`${dropNext(projection.tables)}${projection.create(next)}`);
  const total = await countEvents(tx, projection);
  addGeneration(tx, projection, { generation, state: 'building', total, from: START, ...why });
  return generation;
}

function addGeneration(
  tx: Transaction,
  followed: Followed,
  row: RebuildReason & { generation: number; state: 'live' | 'building'; total: bigint; from: Position },
): void {
  const { generation, state, total, from } = row;
  const isProjection = followed.kind === 'projection';
  const isInline = isProjection && followed.mode === 'inline';
  tx.defer(ADD_GENERATION, [
    ...[followed.name, generation, isInline ? 'inline' : followed.kind, versionOf(followed)],
    ...[isProjection ? followed.tables : [], state, total, row.actor, row.reason],
  ]);
  // Who appends keeps the live tables of an inline one: nobody follows.
  if (isInline && state === 'live') return;
  const place = [from.epoch, from.xid.toString(), from.position];
  tx.defer(ADD_CHECKPOINTS, [followed.name, generation, followed.partitions, ...place]);
}

const countEvents = async (tx: Transaction, { categories }: Followed): Promise<bigint> =>
  (await tx.query<{ count: bigint }>(COUNT, [categories])).rows[0]?.count ?? 0n;

/** Gives up tables that are being filled. The live ones are not touched. */
export async function failBuild(
  db: Database,
  ctx: Context,
  { name, generation }: { readonly name: string; readonly generation: number },
  error: string,
): Promise<void> {
  await db.tx(ctx, async (tx) => {
    const rows = await generationsOf(tx, name);
    const building = rows.find((row) => row.generation === generation && row.state === 'building');
    if (building !== undefined) await dropBuild(tx, building, error);
  });
}

async function dropBuild(tx: Transaction, building: GenerationRow, error: string): Promise<void> {
  const { name, generation } = building;
  // Whoever fills them ends first; whoever comes later finds no checkpoint.
  tx.defer(LOCK_CHECKPOINTS, [name, generation]);
  tx.defer(END_BUILD, [name, generation, error]);
  forget(tx, name, generation);
  await tx.script(dropNext(building.tables));
}

export function forget(tx: Transaction, name: string, generation: number): void {
  for (const text of FORGET) tx.defer(text, [name, generation]);
}

const dropNext = (tables: readonly string[]): string => {
  const next = tableNames({ name: '', tables }, true);
  return `DROP TABLE IF EXISTS ${tables.map(next).join(', ')};`;
};
