import type { Context } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import { CHECKPOINT_COLUMNS, type Checkpoint, type CheckpointRow, toCheckpoint } from './checkpoint.ts';
import { projectionErrors } from './errors.ts';
import type { EventStore } from './event-store.ts';
import type { Position } from './position.ts';
import { concerns, oldName, type ProjectionDefinition, tableNames } from './projection.ts';
import type { ProjectionOptions } from './projection-options.ts';
import { absorb } from './projection-work.ts';
import { forget, generationsOf, tableExists } from './rebuild-generation.ts';

/*
 * Blue and green: a new generation of tables is filled beside the live one, by the followers that fill any tables, and takes its place in one
 * transaction.
 *
 * R1 readers see the live tables until the switch and the new ones after it, never half of either.
 * R2 what readers have seen stays: at the switch the new tables have everything that the live ones have.
 * R3 a rebuild that fails leaves the live tables untouched: an event that the live tables have taken and the new ones cannot take ends it.
 * R4 whoever dies, others go on where it was: all there is to know is in the database.
 */

const CHECKPOINTS = `
  /* lock-checkpoints-of-both */
  SELECT ${CHECKPOINT_COLUMNS}, c.caught_up FROM souk.es_checkpoint c WHERE c.name = $1 ORDER BY c.generation, c.part FOR UPDATE`;

const HAND_OVER = `
  /* hand-over-checkpoint */
  UPDATE souk.es_checkpoint SET epoch = $4, xid = $5::xid8, position = $6, events = events + $7, fence = fence + 1, owner = NULL,
    moved_at = clock_timestamp()
  WHERE name = $1 AND generation = $2 AND part = $3`;

const GO_LIVE = `
  /* generation-goes-live */
  UPDATE souk.es_generation SET state = 'live', live_at = clock_timestamp() WHERE name = $1 AND generation = $2`;
const DELETE_GENERATION = '/* delete-generation */ DELETE FROM souk.es_generation WHERE name = $1 AND generation = $2';
const DELETE_CHECKPOINTS =
  '/* delete-checkpoints */ DELETE FROM souk.es_checkpoint WHERE name = $1 AND generation = $2';

/** A switch that has more left to apply than these pages is put off. */
const MAX_PAGES = 20;

type LockedCheckpoint = Checkpoint & { readonly caughtUp: boolean };

/**
 * Switches to rebuilt tables when all their parts have caught up. Whoever uses the live ones is waited for, no longer than `lockMs`; meanwhile
 * readers wait, too.
 *
 * @returns whether it was done
 * @throws STORE_CONFLICT when somebody held a table for too long, PROJECTION_SWITCH_TOO_FAR: try again
 */
export function switchTables(
  db: Database,
  ctx: Context,
  store: EventStore,
  projection: ProjectionDefinition,
  options: ProjectionOptions,
): Promise<boolean> {
  const { name, tables, mode } = projection;
  const isInline = mode === 'inline';

  const work = async (tx: Transaction): Promise<boolean> => {
    await tx.script(`SET LOCAL lock_timeout = ${Math.trunc(options.lockMs)}`);
    const rows = await generationsOf(tx, name);
    const live = rows.find(({ state }) => state === 'live');
    const building = rows.find(({ state, version }) => state === 'building' && version === projection.version);
    if (live === undefined || building === undefined) return false;
    // First the checkpoints, then the tables, as everybody does: nobody is in the middle of a batch now.
    const { rows: found } = await tx.query<CheckpointRow & { caught_up: boolean }>(CHECKPOINTS, [name]);
    const parts = found
      .filter(({ generation }) => generation === building.generation)
      .map((row): LockedCheckpoint => ({ ...toCheckpoint(row), caughtUp: row.caught_up }));
    if (parts.length === 0 || !parts.every(({ caughtUp }) => caughtUp)) return false;
    const used = await existing(tx, live.tables);
    // Those who append keep writing an inline one: from here on they wait, and then write the new tables.
    if (isInline) await lock(tx, used);
    for (const part of parts) await catchUp(tx, part);
    if (!isInline) await lock(tx, used);
    await exchange(tx, used);
    tx.defer(DELETE_GENERATION, [name, live.generation]);
    forget(tx, name, live.generation);
    tx.defer(GO_LIVE, [name, building.generation]);
    if (isInline) tx.defer(DELETE_CHECKPOINTS, [name, building.generation]);
    return true;
  };

  const lock = (tx: Transaction, used: readonly string[]): Promise<void> =>
    used.length === 0 ? Promise.resolve() : tx.script(`LOCK TABLE ${used.join(', ')} IN ACCESS EXCLUSIVE MODE`);

  /** What came since the part was moved last. Its row is locked, so this is nobody else's. */
  const catchUp = async (tx: Transaction, part: LockedCheckpoint): Promise<void> => {
    let at: Position = part.position;
    let events = 0;
    for (let pages = 1; ; pages++) {
      const page = await store.readAll(tx, {
        after: at,
        limit: options.batchSize,
        upTo: isInline ? 'committed' : 'settled',
        ...(part.parts > 1 && { partition: { index: part.part, of: part.parts } }),
      });
      const mine = page.events.filter((event) => concerns(projection, event));
      if (mine.length > 0) await absorb(tx, projection, { ...part, building: true }, mine, true);
      events += mine.length;
      at = page.next;
      if (page.head) break;
      if (pages === MAX_PAGES) throw projectionErrors.SWITCH_TOO_FAR({ name });
    }
    const place = [at.epoch, at.xid.toString(), at.position];
    tx.defer(HAND_OVER, [name, part.generation, part.part, ...place, events]);
  };

  const exchange = async (tx: Transaction, used: readonly string[]): Promise<void> => {
    const next = tableNames(projection, true);
    const away = used.map((table) => `ALTER TABLE ${table} RENAME TO ${oldName(table)};`);
    const here = tables.map((table) => `ALTER TABLE ${next(table)} RENAME TO ${table};`);
    const drop = used.length === 0 ? '' : `DROP TABLE ${used.map(oldName).join(', ')};`;
    await tx.script([...away, ...here, drop].join('\n'));
  };

  return db.tx(ctx, work, { attempts: 1 });
}

/** Another version may have had other tables. */
async function existing(tx: Transaction, tables: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const table of [...tables].sort()) if (await tableExists(tx, table)) found.push(table);
  return found;
}
