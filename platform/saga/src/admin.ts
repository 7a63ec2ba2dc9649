import type { Context, Runtime } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import type { AnyDefinition, Json } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { type ActionName, fromRow, type JournalRecord, type JournalRow, toRow } from './journal.ts';
import { ACTION, fold } from './machine.ts';
import { type ActionRequest, planUnowned, type SagaPlace } from './plan-action.ts';
import {
  countSagas,
  listSagas,
  readSaga,
  type SagaCount,
  type SagaFilter,
  type SagaLine,
  type SagaRecord,
} from './saga-query.ts';
import type { SagaEvent } from './sagas.ts';
import { mayBeWanted } from './step.ts';
import type { SignalRow } from './storage.ts';
import { readJournal } from './timeline.ts';

/** What an operator wants done to one saga. */
export interface SagaAction {
  readonly id: string;
  readonly action: ActionName;
  /** Who: the id of a user, or a service. */
  readonly actor: string;
  /** Why; kept with it. */
  readonly reason: string;
  /** For `skip` and `edit`. @default the step that it is at */
  readonly step?: string | undefined;
  /** For `skip`: what the step counts as having returned. */
  readonly output?: Json | undefined;
  /** For `edit`: what the step sees as its input. */
  readonly input?: Json | undefined;
  /** The same id is done once. @default a new one */
  readonly actionId?: string | undefined;
  /** Refused when the journal has grown since it was looked at. */
  readonly expectedSeq?: number | undefined;
  /** Says whether it would be refused, and changes nothing. */
  readonly dryRun?: boolean;
  /** Overrides the guard of `edit` and `compensate`. */
  readonly force?: boolean;
}

/** One entry of the audit trail. */
export interface SagaActionEntry {
  readonly actionId: string;
  readonly sagaId: string;
  readonly name: string;
  readonly action: ActionName;
  readonly step: string | undefined;
  readonly actor: string;
  readonly reason: string;
  readonly forced: boolean;
  /** `sent`: to the process that runs the saga; its journal says what came of it. */
  readonly outcome: 'done' | 'sent';
  readonly at: Date;
}

/** What operators see of the sagas of a service, and do to them. Reads the tables that the engine writes, so nothing is late. */
export interface SagaAdmin {
  /** Newest first. @param page.after The cursor of the last line before. */
  list(
    ctx: Context,
    filter: SagaFilter & { readonly olderThanMs?: number | undefined },
    page: { readonly limit: number; readonly after: string | undefined },
  ): Promise<readonly { readonly item: SagaLine; readonly cursor: string }[]>;
  /** Sagas that have not ended, by name, version and status. */
  count(ctx: Context): Promise<readonly SagaCount[]>;
  /** @returns undefined when there is no such saga */
  show(
    ctx: Context,
    id: string,
  ): Promise<{ readonly saga: SagaLine; readonly shape: string; readonly records: readonly SagaEvent[] } | undefined>;
  /**
   * One transaction: the saga's journal, its row and the audit trail. A saga that runs is told, and does it as soon as it can.
   *
   * @returns the saga after it
   * @throws SAGA_NOT_FOUND, SAGA_ACTION_REFUSED saying why, SAGA_CHANGED when it is not at `expectedSeq`
   */
  act(ctx: Context, request: SagaAction): Promise<SagaLine>;
  /** The audit trail, newest first. */
  actions(
    ctx: Context,
    filter: { readonly sagaId?: string; readonly before?: Date; readonly limit: number },
  ): Promise<readonly SagaActionEntry[]>;
}

export interface SagaAdminInit {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly definitions: ReadonlyMap<string, AnyDefinition>;
  /** Hears of signals that were sent, and that a saga may be due. */
  readonly onActed: (signals: readonly SignalRow[]) => void;
}

export function createSagaAdmin({ db, runtime, definitions, onActed }: SagaAdminInit): SagaAdmin {
  const { clock, ids } = runtime;

  const act = async (tx: Transaction, asked: SagaAction): Promise<void> => {
    const found = await readSaga(tx, asked.id, true);
    if (found === undefined) throw sagaErrors.NOT_FOUND({ id: asked.id });
    const { line } = found;
    if (asked.expectedSeq !== undefined && asked.expectedSeq !== line.seq)
      throw sagaErrors.CHANGED({ id: asked.id, expected: asked.expectedSeq, found: line.seq });
    const request = requestOf(asked, ids.uuid, clock.now());
    if (await isDone(tx, request.actionId)) return;
    const plan = await planFor(tx, found, request);
    if (asked.dryRun) return;
    if (line.status === 'RUNNING') {
      const { sagaId, ...body } = request;
      const signal = { sagaId, name: ACTION, signalId: request.actionId, body: body as unknown as Json };
      await send(tx, [signal]);
      await note(tx, line, request, 'sent');
      return;
    }
    await append(tx, found, plan);
    if (plan.sends.length > 0) await send(tx, plan.sends);
    await note(tx, line, request, 'done');
    tx.afterCommit(() => onActed([]));
  };

  const send = async (tx: Transaction, signals: readonly SignalRow[]): Promise<void> => {
    await tx.query('SELECT souk.saga_send($1::json, $2)', [JSON.stringify(signals), new Date(clock.now())]);
    tx.afterCommit(() => onActed(signals));
  };

  /** @throws SAGA_ACTION_REFUSED */
  const planFor = async (
    tx: Transaction,
    { line, shape, epoch }: SagaRecord,
    request: ActionRequest,
  ): Promise<Plan> => {
    const { name, version, id } = line;
    const definition = definitions.get(`${name}@${version}`);
    if (definition === undefined || definition.shape !== shape) return withoutDefinition(line, request);
    const { rows } = await tx.query<JournalRow>(
      'SELECT seq, kind, step, attempt, body FROM souk.saga_journal WHERE saga_id = $1 ORDER BY seq',
      [id],
    );
    const records = rows.map(fromRow);
    const lost = line.status === 'READY' && epoch > 0n;
    const state = fold(definition, records);
    const plan = planUnowned(definition, state, lost, (now, step) => mayBeWanted(now, id, step), request);
    if ('refused' in plan) throw plan.refused;
    return plan;
  };

  const append = async (tx: Transaction, { line, epoch }: SagaRecord, { records, place }: Plan): Promise<void> => {
    const rows = records.map((record, index) => toRow(record, line.seq + 1 + index));
    const nowAt = new Date(clock.now());
    for (const row of rows) {
      tx.defer(
        'INSERT INTO souk.saga_journal (saga_id, seq, kind, step, attempt, epoch, body) VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)',
        [line.id, row.seq, row.kind, row.step, row.attempt, epoch, JSON.stringify(row.body)],
      );
    }
    await tx.query(
      `UPDATE souk.saga SET status = $2, direction = $3, step = $4, error_code = $5, error_reason = $6, seq = $7, claims = 0,
              owner = NULL, updated_at = clock_timestamp(),
              wake_at = CASE WHEN $2 IN ('READY', 'WAITING') THEN $8::timestamptz END,
              ended_at = CASE WHEN $2 IN ('COMPLETED', 'COMPENSATED', 'TERMINATED') THEN $8::timestamptz END
        WHERE id = $1`,
      [
        line.id,
        place.status,
        place.direction,
        place.step,
        place.errorCode,
        place.errorReason,
        line.seq + rows.length,
        nowAt,
      ],
    );
  };

  return {
    list: async (ctx, { olderThanMs, ...filter }, { limit, after }) => {
      const unchangedSince = olderThanMs === undefined ? filter.unchangedSince : new Date(clock.now() - olderThanMs);
      const lines = await listSagas(
        db.at(ctx),
        { ...filter, unchangedSince },
        { limit, after: after ? placeIn(after) : undefined },
      );
      return lines.map((item) => ({ item, cursor: `${item.startedAt.toISOString()} ${item.id}` }));
    },
    count: (ctx) => countSagas(db.at(ctx)),
    show: async (ctx, id) => {
      const sql = db.at(ctx);
      const [found, records] = await Promise.all([readSaga(sql, id), readJournal(sql, id)]);
      return found && { saga: found.line, shape: found.shape, records };
    },
    act: async (ctx, request) => {
      await db.tx(ctx, (tx) => act(tx, request));
      const after = await readSaga(db.at(ctx), request.id);
      if (after === undefined) throw sagaErrors.NOT_FOUND({ id: request.id });
      return after.line;
    },
    actions: async (ctx, { sagaId, before, limit }) => {
      const { rows } = await db.at(ctx).query<SagaActionEntry & { step: string | null }>(
        `SELECT action_id AS "actionId", saga_id AS "sagaId", name, action, step, actor, reason, forced, outcome, at
           FROM souk.saga_action
          WHERE ($1::text IS NULL OR saga_id = $1) AND ($2::timestamptz IS NULL OR at < $2)
          ORDER BY at DESC, action_id DESC LIMIT $3`,
        [sagaId ?? null, before ?? null, limit],
      );
      return rows.map((row) => ({ ...row, step: row.step ?? undefined }));
    },
  };
}

interface Plan {
  readonly records: readonly JournalRecord[];
  readonly sends: readonly SignalRow[];
  readonly place: SagaPlace;
}

/** Without its definition nothing can be said of a saga but that it is given up. */
function withoutDefinition(line: SagaLine, request: ActionRequest): Plan {
  if (request.action !== 'terminate' || ['COMPLETED', 'COMPENSATED', 'TERMINATED'].includes(line.status)) {
    const why = `this process does not know ${line.name} version ${line.version} as it was started: deploy it again first`;
    throw sagaErrors.ACTION_REFUSED({ action: request.action, why });
  }
  const { sagaId: _, action, actionId, actor, reason, at } = request;
  return {
    records: [
      { kind: 'ACTION', action, actionId, actor, reason, at },
      { kind: 'ENDED', status: 'TERMINATED' },
    ],
    sends: [],
    place: { status: 'TERMINATED', direction: line.direction, step: null, errorCode: null, errorReason: null },
  };
}

const requestOf = (asked: SagaAction, newId: () => string, at: number): ActionRequest => ({
  sagaId: asked.id,
  action: asked.action,
  actionId: asked.actionId ?? newId(),
  actor: asked.actor,
  reason: asked.reason,
  ...(asked.step !== undefined && { step: asked.step }),
  ...(asked.output !== undefined && { result: asked.output }),
  ...(asked.input !== undefined && { input: asked.input }),
  ...(asked.force && { force: true }),
  at,
});

const isDone = async (tx: Transaction, actionId: string): Promise<boolean> =>
  (await tx.query('SELECT FROM souk.saga_action WHERE action_id = $1', [actionId])).rowCount > 0;

async function note(tx: Transaction, line: SagaLine, request: ActionRequest, outcome: 'done' | 'sent'): Promise<void> {
  const { actionId, sagaId, action, step, actor, reason, force = false, at } = request;
  await tx.query(
    `INSERT INTO souk.saga_action (action_id, saga_id, name, action, step, actor, reason, forced, outcome, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [actionId, sagaId, line.name, action, step ?? line.step ?? null, actor, reason, force, outcome, new Date(at)],
  );
}

function placeIn(cursor: string): { startedAt: Date; id: string } {
  const space = cursor.indexOf(' ');
  return { startedAt: new Date(cursor.slice(0, space)), id: cursor.slice(space + 1) };
}
