import { createHash } from 'node:crypto';
import { type Context, fromUnknown, isSoukError, type SoukError } from '@souk/kernel';
import type { Database } from './database.ts';
import { storeErrors } from './errors.ts';
import type { Migration } from './migration.ts';

interface Applied {
  readonly id: string;
  readonly checksum: string;
}

interface Step extends Migration {
  readonly checksum: string;
}

/** Held by whoever applies a migration; the number is ours alone within a database. */
const LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('souk.migration', 0))";

const BOOK = `
  CREATE SCHEMA IF NOT EXISTS souk;
  CREATE TABLE IF NOT EXISTS souk.migration (
    id text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  );`;

/**
 * Brings a database up to date: runs, in order, what was not run yet, each migration in a transaction of its own. Several processes
 * may do it at once; each migration runs once. One query when there is nothing to do.
 *
 * Call it once per database with all lists: an applied migration of a known group (what stands before the `/`) that no list holds
 * was made by a newer version.
 *
 * @returns Ids of the migrations that this call ran.
 * @throws STORE_MIGRATION_CHANGED, STORE_MIGRATION_NEWER before anything is changed; STORE_MIGRATION_FAILED with the failed one
 * undone and those before it kept; STORE_MIGRATIONS_INVALID
 */
export async function migrate(
  db: Database,
  ctx: Context,
  lists: readonly (readonly Migration[])[],
): Promise<readonly string[]> {
  const steps = plan(lists);
  const pending = compare(db.name, steps, await readApplied(db, ctx));
  const done: string[] = [];
  for (const step of pending) if (await apply(db, ctx, step)) done.push(step.id);
  return done;
}

/** Pure: the order of all lists, each checked. */
function plan(lists: readonly (readonly Migration[])[]): Step[] {
  const seen = new Set<string>();
  for (const list of lists) {
    let before = '';
    for (const { id } of list) {
      if (!/^[a-z0-9-]+\/.+/.test(id))
        throw storeErrors.MIGRATIONS_INVALID({ why: `${id} is not of the form group/name` });
      if (seen.has(id)) throw storeErrors.MIGRATIONS_INVALID({ why: `${id} is there twice` });
      if (id < before) throw storeErrors.MIGRATIONS_INVALID({ why: `${id} comes after ${before}` });
      seen.add(id);
      before = id;
    }
  }
  return lists.flat().map(({ id, sql }) => ({ id, sql, checksum: createHash('sha256').update(sql).digest('hex') }));
}

/** Pure: what is still to be run. */
function compare(database: string, steps: readonly Step[], applied: readonly Applied[]): Step[] {
  const known = new Map(steps.map((step) => [step.id, step]));
  const groups = new Set(steps.map(({ id }) => group(id)));
  const done = new Set<string>();
  for (const { id, checksum } of applied) {
    const step = known.get(id);
    if (step === undefined && groups.has(group(id))) throw storeErrors.MIGRATION_NEWER({ id, database });
    if (step !== undefined && step.checksum !== checksum) throw storeErrors.MIGRATION_CHANGED({ id, database });
    done.add(id);
  }
  return steps.filter(({ id }) => !done.has(id));
}

const group = (id: string): string => id.slice(0, id.indexOf('/'));

async function readApplied(db: Database, ctx: Context): Promise<Applied[]> {
  try {
    return (await db.at(ctx).query<Applied>('SELECT id, checksum FROM souk.migration')).rows;
  } catch (error) {
    // 42P01: no such table, so nothing was ever applied.
    if (isSoukError(error) && error.message.includes('42P01')) return [];
    throw error;
  }
}

async function apply(db: Database, ctx: Context, step: Step): Promise<boolean> {
  try {
    return await db.tx(ctx, async (tx) => {
      await tx.script(LOCK);
      // Only now: who waited for the lock must see what its holder wrote.
      await tx.script(BOOK);
      const { rowCount } = await tx.query(
        'INSERT INTO souk.migration (id, checksum) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING',
        [step.id, step.checksum],
      );
      if (rowCount > 0) await tx.script(step.sql);
      return rowCount > 0;
    });
  } catch (thrown) {
    const error = fromUnknown(thrown);
    if (error.retry.kind !== 'never') throw error;
    throw storeErrors.MIGRATION_FAILED({ id: step.id, database: db.name, why: why(error) }, { cause: error });
  }
}

/** Migrations hold no personal data, so what the database said about one may be shown. */
const why = (error: SoukError): string => (error.cause instanceof Error ? error.cause.message : error.message);
