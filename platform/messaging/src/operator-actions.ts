import type { Context } from '@souk/kernel';
import type { Database } from '@souk/store';

/** What a person has done to events of a service. */
export interface OperatorAction {
  readonly id: bigint;
  readonly at: Date;
  readonly consumer: string;
  readonly operator: string;
  /** `replayed`, `edited`, `discarded`, `paused`, `resumed`. */
  readonly action: string;
  /** Number of the letter, or name of the consumer. */
  readonly subject: string;
  readonly note: string;
}

export const RECORD_ACTION = `
  /* operator-action */
  INSERT INTO souk.operator_action (at, consumer, operator, action, subject, note) VALUES ($1, $2, $3, $4, $5, $6)`;

const LIST = `
  /* operator-actions */
  SELECT id, at, consumer, operator, action, subject, note FROM souk.operator_action
  WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`;

/** The latest first. @param page `before`: the id of the last one of the page before. @default limit 50 */
export async function listOperatorActions(
  db: Database,
  ctx: Context,
  { limit = 50, before }: { readonly limit?: number; readonly before?: bigint } = {},
): Promise<readonly OperatorAction[]> {
  return (await db.at(ctx).query<OperatorAction>(LIST, [before ?? null, limit])).rows;
}
