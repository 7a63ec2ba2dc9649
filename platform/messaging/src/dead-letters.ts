import { createHash } from 'node:crypto';
import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { type Context, fromUnknown, type Logger, type Runtime, silentLogger } from '@souk/kernel';
import { compileValidator, eventRules } from '@souk/schema';
import type { Database } from '@souk/store';
import {
  COUNT,
  DISCARD_BLOCKED,
  GET,
  GROUPS,
  IDS,
  type LetterRow,
  LIST,
  MARK,
  OPEN_LETTER,
  REDRIVE_BLOCKED,
  REDRIVE_INSERT,
} from './dead-letter-sql.ts';
import type { Envelope } from './envelope.ts';
import { type EnvelopeJson, fromEnvelopeJson, toEnvelopeJson } from './envelope-json.ts';
import { messagingErrors } from './errors.ts';
import { RECORD_ACTION } from './operator-actions.ts';
import { type Failure, LOCK, RELEASE_NEXT } from './retry-table.ts';

export type DeadLetterStatus = 'dead' | 'replayed' | 'edited' | 'discarded';

/** Which letters. What is left out does not matter. */
export interface DeadLetterFilter {
  readonly type?: string | undefined;
  readonly key?: string | undefined;
  readonly reason?: string | undefined;
  readonly fingerprint?: string | undefined;
  /** Died longer ago than this, in milliseconds. */
  readonly olderThanMs?: number | undefined;
  /** Died later than this long ago, in milliseconds. */
  readonly youngerThanMs?: number | undefined;
  /** @default 'dead' */
  readonly status?: DeadLetterStatus | 'any' | undefined;
}

/** These, or those that match and wait for a person. */
export type DeadLetterSelection =
  | { readonly ids: readonly bigint[] }
  | { readonly filter: Omit<DeadLetterFilter, 'status'> };

/** An event that could not be handled, in a line. */
export interface DeadLetter {
  readonly id: bigint;
  readonly consumer: string;
  readonly source: string;
  readonly messageId: string;
  readonly type: string;
  readonly key: string;
  readonly reason: string;
  readonly error: string;
  /** The same for letters that died of the same thing. */
  readonly fingerprint: string;
  readonly attempts: number;
  readonly status: DeadLetterStatus;
  readonly deadAt: Date;
  /** Who redrove or discarded it. */
  readonly operator: string | undefined;
  readonly note: string | undefined;
  readonly actedAt: Date | undefined;
  /** Later events of its key wait until somebody has dealt with it. */
  readonly blocks: boolean;
}

export interface DeadLetterDetails extends DeadLetter {
  readonly failures: readonly Failure[];
  readonly envelope: Envelope;
  /** The event in the JSON of its contract; undefined when its type is unknown here or its bytes cannot be read. */
  readonly event: JsonValue | undefined;
}

/** Letters that died of the same thing and wait for a person. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly type: string;
  readonly reason: string;
  /** Of one of them. */
  readonly error: string;
  readonly count: number;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly sampleId: bigint;
}

export interface DeadLetterPreview {
  readonly count: number;
  readonly sample: readonly DeadLetter[];
  /** To be given with the action: it is refused when the selection has changed in the meantime. */
  readonly confirm: string;
}

/** Who does it and why: kept with the letter and in `souk.operator_action`. */
export interface OperatorNote {
  /** A user's id, or a name such as `operator`. */
  readonly operator: string;
  readonly note: string;
}

export interface ActOptions extends OperatorNote {
  /** From `preview`. Needed when the selection is a filter. */
  readonly confirm?: string | undefined;
}

export interface RedriveOptions extends ActOptions {
  /** @default 50 */
  readonly ratePerSecond?: number | undefined;
  readonly onProgress?: ((progress: RedriveProgress) => void) | undefined;
}

export interface RedriveProgress {
  readonly total: number;
  /** Given to their consumer again. */
  readonly redriven: number;
  /** Dealt with by somebody else meanwhile, or gone. */
  readonly skipped: number;
}

/** The dead letters of one service. Every change is kept with who made it and why. */
export interface DeadLetters {
  /** The latest first. @param page `before`: the id of the last letter of the page before. @default limit 20 */
  list(
    ctx: Context,
    filter?: DeadLetterFilter,
    page?: { readonly limit?: number; readonly before?: bigint | undefined },
  ): Promise<readonly DeadLetter[]>;
  /** The largest first. @param page `after`: the last group of the page before. @default limit 20 */
  groups(
    ctx: Context,
    page?: { readonly limit?: number; readonly after?: Pick<DeadLetterGroup, 'count' | 'fingerprint'> | undefined },
  ): Promise<readonly DeadLetterGroup[]>;
  /** @throws MESSAGING_NO_DEAD_LETTER */
  get(ctx: Context, id: bigint): Promise<DeadLetterDetails>;
  count(ctx: Context, filter?: DeadLetterFilter): Promise<number>;
  preview(ctx: Context, action: 'redrive' | 'discard', selection: DeadLetterSelection): Promise<DeadLetterPreview>;
  /**
   * Gives letters to their consumer again, oldest first, through the retry table: behind what waits of their key, and with their own
   * ids, so that what was handled meanwhile changes nothing. Ends early when `ctx` does; what was redriven stays so.
   *
   * @throws MESSAGING_CONFIRMATION_NEEDED, MESSAGING_PREVIEW_STALE
   */
  redrive(ctx: Context, selection: DeadLetterSelection, options: RedriveOptions): Promise<RedriveProgress>;
  /**
   * Gives a letter to its consumer again with other content: an event of its own, caused by the old one.
   *
   * @param event JSON of the contract. @returns the id of the new event
   * @throws MESSAGING_NO_DEAD_LETTER, MESSAGING_UNKNOWN_EVENT when the contract is not known here, MESSAGING_INVALID_EVENT
   */
  redriveEdited(ctx: Context, id: bigint, event: JsonValue, note: OperatorNote): Promise<string>;
  /** Takes letters off the list for good; they stay in the table. @returns how many */
  discard(ctx: Context, selection: DeadLetterSelection, options: ActOptions): Promise<number>;
}

export interface DeadLettersInit {
  /** The consumer whose letters these are. */
  readonly service: string;
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log?: Logger;
  /** Contracts of events it hears, for showing and editing. */
  readonly schemas?: readonly DescMessage[];
  /** Something can be tried again. Other processes see it within `pollMs` three times over. */
  readonly onRedrive?: () => void;
}

const PAGE = 20;
const BATCH = 100;
const RATE_PER_SECOND = 50;
const SAMPLE = 5;

export function createDeadLetters(init: DeadLettersInit): DeadLetters {
  const { service, db, runtime, log = silentLogger, onRedrive = () => {} } = init;
  const schemas = new Map((init.schemas ?? []).map((schema) => [eventRules(schema).type, schema]));
  const now = () => new Date(runtime.clock.now());

  const matching = (filter: DeadLetterFilter) => {
    const ago = (ms: number | undefined) => (ms === undefined ? null : new Date(runtime.clock.now() - ms));
    const { type, key, reason, fingerprint, olderThanMs, youngerThanMs, status = 'dead' } = filter;
    return [
      service,
      status === 'any' ? ['dead', 'replayed', 'edited', 'discarded'] : [status],
      type ?? null,
      key ?? null,
      reason ?? null,
      fingerprint ?? null,
      ago(olderThanMs),
      ago(youngerThanMs),
    ];
  };

  const list: DeadLetters['list'] = async (ctx, filter = {}, { limit = PAGE, before } = {}) => {
    const { rows } = await db.at(ctx).query<LetterRow>(LIST, [...matching(filter), before ?? null, limit]);
    return rows.map(letterOf);
  };

  /** Ascending, `BATCH` at a time: those of a key in the order in which they died. */
  async function* selected(
    ctx: Context,
    selection: DeadLetterSelection,
    newest: bigint | null,
  ): AsyncGenerator<bigint> {
    if ('ids' in selection) {
      yield* [...selection.ids].sort((a, b) => (a < b ? -1 : 1));
      return;
    }
    for (let last = 0n; ; ) {
      const { rows } = await db
        .at(ctx)
        .query<{ id: bigint }>(IDS, [...matching(selection.filter), last, newest, BATCH]);
      for (const { id } of rows) yield id;
      if (rows.length < BATCH) return;
      last = rows.at(-1)?.id ?? last;
    }
  }

  const countOf = async (
    ctx: Context,
    filter: DeadLetterFilter,
    newest: bigint | null,
  ): Promise<{ readonly count: number; readonly newest: bigint }> => {
    const values = [...matching(filter), newest];
    const { rows } = await db.at(ctx).query<{ count: number; newest: bigint | null }>(COUNT, values);
    return { count: rows[0]?.count ?? 0, newest: rows[0]?.newest ?? 0n };
  };

  /** @returns how many there are, and up to which letter they were seen */
  const confirmed = async (
    ctx: Context,
    action: string,
    selection: DeadLetterSelection,
    confirm: string | undefined,
  ): Promise<{ readonly total: number; readonly newest: bigint | null }> => {
    if ('ids' in selection) return { total: selection.ids.length, newest: null };
    const [newest, count, digest] = (confirm ?? '').split('.');
    if (newest === undefined || !/^\d{1,18}$/.test(newest) || digest !== digestOf(action, selection)) {
      throw messagingErrors.CONFIRMATION_NEEDED({ action });
    }
    const seen = await countOf(ctx, selection.filter, BigInt(newest));
    if (String(seen.count) !== count) {
      throw messagingErrors.PREVIEW_STALE({ action, before: count ?? '', now: seen.count });
    }
    return { total: seen.count, newest: BigInt(newest) };
  };

  /** @returns false when it is not dead any more */
  const giveBack = (
    ctx: Context,
    id: bigint,
    status: DeadLetterStatus,
    { operator, note }: OperatorNote,
    edited?: Envelope,
  ) =>
    db.tx(ctx, async (tx) => {
      const [letter] = (await tx.query<{ lane: string; envelope: EnvelopeJson }>(OPEN_LETTER, [id, service])).rows;
      if (letter === undefined) return false;
      const { lane } = letter;
      await tx.query(LOCK, [service, lane]);
      if ((await tx.query(MARK, [id, status, operator, note, now()])).rowCount === 0) return false;
      tx.defer(RECORD_ACTION, [now(), service, operator, status, String(id), note]);
      if (status === 'discarded') {
        await tx.query(DISCARD_BLOCKED, [id]);
        await tx.query(RELEASE_NEXT, [service, lane, now()]);
        return true;
      }
      const envelope = JSON.stringify(edited === undefined ? letter.envelope : toEnvelopeJson(edited));
      const inItsPlace = await tx.query(REDRIVE_BLOCKED, [id, service, lane, now(), envelope]);
      if (inItsPlace.rowCount === 0) await tx.query(REDRIVE_INSERT, [service, lane, now(), envelope]);
      tx.afterCommit(onRedrive);
      return true;
    });

  const decode = (envelope: Envelope): JsonValue | undefined => {
    const schema = schemas.get(envelope.type);
    if (schema === undefined) return undefined;
    try {
      return toJson(schema, fromBinary(schema, envelope.data));
    } catch (thrown) {
      log.debug('the event of a dead letter cannot be read', { type: envelope.type, err: fromUnknown(thrown) });
      return undefined;
    }
  };

  const get: DeadLetters['get'] = async (ctx, id) => {
    type Row = LetterRow & { failures: readonly Failure[]; envelope: EnvelopeJson };
    const [row] = (await db.at(ctx).query<Row>(GET, [id, service])).rows;
    if (row === undefined) throw messagingErrors.NO_DEAD_LETTER({ service, id: String(id) });
    const envelope = fromEnvelopeJson(row.envelope);
    return { ...letterOf(row), failures: row.failures, envelope, event: decode(envelope) };
  };

  return {
    list,
    get,
    groups: async (ctx, { limit = PAGE, after } = {}) =>
      (
        await db
          .at(ctx)
          .query<DeadLetterGroup>(GROUPS, [service, after?.count ?? null, after?.fingerprint ?? '', limit])
      ).rows,
    count: async (ctx, filter = {}) => (await countOf(ctx, filter, null)).count,
    preview: async (ctx, action, selection) => {
      if ('ids' in selection) {
        const letters = await Promise.all(selection.ids.slice(0, SAMPLE).map((id) => get(ctx, id)));
        return { count: selection.ids.length, sample: letters, confirm: '' };
      }
      const { count, newest } = await countOf(ctx, selection.filter, null);
      const sample = await list(ctx, selection.filter, { limit: SAMPLE });
      return { count, sample, confirm: `${newest}.${count}.${digestOf(action, selection)}` };
    },
    redrive: async (ctx, selection, options) => {
      const { operator, ratePerSecond = RATE_PER_SECOND, onProgress = () => {} } = options;
      const { total, newest } = await confirmed(ctx, 'redrive', selection, options.confirm);
      const startMs = runtime.clock.monotonicMs();
      let progress: RedriveProgress = { total, redriven: 0, skipped: 0 };
      for await (const id of selected(ctx, selection, newest)) {
        const dueMs = startMs + ((progress.redriven + progress.skipped) * 1000) / ratePerSecond;
        const waitMs = dueMs - runtime.clock.monotonicMs();
        if (waitMs > 0) await runtime.timers.sleep(waitMs, ctx.signal);
        const { redriven, skipped } = progress;
        progress = (await giveBack(ctx, id, 'replayed', options))
          ? { total, redriven: redriven + 1, skipped }
          : { total, redriven, skipped: skipped + 1 };
        onProgress(progress);
      }
      log.info('dead letters were given to their consumer again', { service, operator, ...progress });
      return progress;
    },
    redriveEdited: async (ctx, id, event, note) => {
      const { envelope, type } = await get(ctx, id);
      const schema = schemas.get(type);
      if (schema === undefined) throw messagingErrors.UNKNOWN_EVENT({ service, type });
      const edited: Envelope = {
        ...envelope,
        id: runtime.ids.uuid(),
        causationId: envelope.id,
        time: now().toISOString(),
        data: encode(schema, type, event, envelope.key),
      };
      if (!(await giveBack(ctx, id, 'edited', note, edited))) {
        throw messagingErrors.NO_DEAD_LETTER({ service, id: String(id) });
      }
      log.info('a dead letter was given to its consumer again, edited', { service, operator: note.operator, type });
      return edited.id;
    },
    discard: async (ctx, selection, options) => {
      const { newest } = await confirmed(ctx, 'discard', selection, options.confirm);
      let count = 0;
      for await (const id of selected(ctx, selection, newest)) {
        if (await giveBack(ctx, id, 'discarded', options)) count++;
      }
      if (count > 0) onRedrive();
      log.info('dead letters were discarded', { service, operator: options.operator, count });
      return count;
    },
  };
}

function encode(schema: DescMessage, type: string, event: JsonValue, key: string): Uint8Array {
  const refuse = (why: string, cause?: unknown) => messagingErrors.INVALID_EVENT({ type, why }, { cause });
  const read = () => {
    try {
      return fromJson(schema, event);
    } catch (cause) {
      throw refuse('it is not JSON of its contract', cause);
    }
  };
  const message = read();
  const [violation] = compileValidator(schema)(message);
  if (violation !== undefined) throw refuse(`${violation.pointer} ${violation.detail}`);
  const { keyField } = eventRules(schema);
  // Under another key it would wait behind the wrong events.
  if (String((message as unknown as Record<string, unknown>)[keyField]) !== key) {
    throw refuse(`${keyField} cannot be another`);
  }
  return toBinary(schema, message);
}

function digestOf(action: string, selection: DeadLetterSelection): string {
  const filter =
    'filter' in selection ? Object.entries(selection.filter).filter(([, value]) => value !== undefined) : [];
  return createHash('sha256')
    .update(JSON.stringify([action, filter.sort()]))
    .digest('base64url')
    .slice(0, 16);
}

const letterOf = (row: LetterRow): DeadLetter => ({
  id: row.id,
  consumer: row.consumer,
  source: row.source,
  messageId: row.msg_id,
  type: row.type,
  key: row.key,
  reason: row.reason,
  error: row.error,
  fingerprint: row.fingerprint,
  attempts: row.attempts,
  status: row.status,
  deadAt: row.dead_at,
  operator: row.operator ?? undefined,
  note: row.note ?? undefined,
  actedAt: row.acted_at ?? undefined,
  blocks: row.blocks,
});
