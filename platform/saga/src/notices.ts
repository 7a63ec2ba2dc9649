import type { Context } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';

/** A saga came to be STUCK. */
export interface StuckNotice {
  readonly sagaId: string;
  readonly name: string;
  readonly version: number;
  readonly step: string | undefined;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly at: Date;
}

const TAKE = `
  /* take-notices */
  DELETE FROM souk.saga_notice WHERE id = ANY (ARRAY(SELECT id FROM souk.saga_notice ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED))
  RETURNING saga_id AS "sagaId", name, version, step, error_code AS code, error_reason AS reason, at`;

const AT_ONCE = 100;

/**
 * Tells of every entry into STUCK once: the notice was written with the entry, and goes with the commit of what `tell` does.
 *
 * @returns what was told
 */
export async function tellNotices(
  db: Database,
  ctx: Context,
  tell: (tx: Transaction, notice: StuckNotice) => Promise<void>,
): Promise<readonly StuckNotice[]> {
  return db.tx(ctx, async (tx) => {
    const { rows } = await tx.query<StuckNotice>(TAKE, [AT_ONCE]);
    for (const notice of rows) await tell(tx, notice);
    return rows;
  });
}
