import { type Context, fromUnknown, newTrace, type Runtime, rootContext } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { projectionErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import type { EventStore } from './event-store.ts';
import { decodePosition, type Position } from './position.ts';
import { concerns, type ProjectionDefinition, tableNames } from './projection.ts';
import { type ProjectionOptions, projectionDefaults } from './projection-options.ts';
import { createParking, type ParkedEvent, type Redriven } from './projection-parking.ts';
import { createRunner } from './projection-runner.ts';
import { createStatusGauges, type ProjectionStatus, readStatus } from './projection-status.ts';
import type { BoundSubscription, Followed } from './projection-work.ts';
import { beginRebuild, prepareGeneration, type RebuildReason } from './rebuild-generation.ts';
import type { EventSubscription, StoredEventHandler } from './subscription.ts';

export interface ProjectionsInit {
  readonly db: Database;
  /** Through which the service appends: what it commits is followed at once. */
  readonly store: EventStore;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly projections?: readonly ProjectionDefinition[];
  readonly subscriptions?: readonly EventSubscription<never>[];
  readonly options?: Partial<ProjectionOptions>;
}

export interface RebuildOptions extends RebuildReason {
  /** Called about twice a second. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Who acts on a projection, and why: kept in the log. */
export interface OperatorReason {
  readonly actor: string;
  readonly reason: string;
}

/** What handlers of a service need of its projections. */
export interface ProjectionReads {
  /**
   * Read your writes: resolves when a projection shows what was appended up to a position, at once when it does already. A stream of which an
   * event is parked does not count: it is shown as it was.
   *
   * @param position Of an append, or its text from {@link encodePosition}.
   * @param timeoutMs Longest wait.
   * @throws PROJECTION_BEHIND (`unavailable`, retry `later`) when it takes longer; PROJECTION_UNKNOWN; EVENTSTORE_POSITION_INVALID
   */
  waitFor(ctx: Context, name: string, position: Position | string, timeoutMs: number): Promise<void>;
  /** Applies events to the live tables of an inline projection, in the transaction that appended them. @throws PROJECTION_UNKNOWN */
  applyInline(tx: Transaction, name: string, events: readonly RecordedEvent[]): Promise<void>;
}

/** What operators can ask of projections and subscriptions, and do to them, from any process of the service. */
export interface ProjectionAdmin {
  /** All, by name. */
  list(ctx: Context): Promise<ProjectionStatus[]>;
  /** As `list` said last, a few seconds ago at most; for health pages. */
  health(): readonly ProjectionStatus[];
  /**
   * Makes the tables anew beside the live ones and switches when they have caught up; joins a rebuild that is under way. It goes on when
   * the caller does not wait any longer, and when processes die.
   *
   * @throws PROJECTION_UNKNOWN, PROJECTION_NO_TABLES, PROJECTION_NEWER; PROJECTION_REBUILD_FAILED with the live tables untouched
   */
  rebuild(ctx: Context, name: string, options: RebuildOptions): Promise<void>;
  /** By stream and version. @throws PROJECTION_UNKNOWN */
  parked(
    ctx: Context,
    name: string,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<ParkedEvent[]>;
  /** Applies parked events in order. @param options.stream Only of this stream. @throws PROJECTION_UNKNOWN */
  redrive(ctx: Context, name: string, options: OperatorReason & { readonly stream?: string }): Promise<Redriven>;
  /** Gives up the first parked event of a stream, so that those behind it can be redriven. @returns its version */
  discard(
    ctx: Context,
    name: string,
    options: OperatorReason & { readonly stream: string },
  ): Promise<number | undefined>;
}

/** The projections and subscriptions of one service, at work in this process. */
export interface Projections extends ProjectionReads, ProjectionAdmin {
  /** Makes tables that are missing. To be called at every start, before anything reads them. */
  prepare(ctx: Context): Promise<void>;
  /** Gives subscriptions the service's dependencies. */
  bind(deps: unknown): void;
  start(): Promise<void>;
  /** Ends what is under way and lets other processes go on. */
  stop(): Promise<void>;
}

const STATUS_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 500;
const PAGE = 100;

export function createProjections(init: ProjectionsInit): Projections {
  const { db, store, runtime, telemetry } = init;
  const options = { ...projectionDefaults, ...init.options };
  let deps: unknown;
  const followed: Followed[] = [
    ...(init.projections ?? []),
    ...(init.subscriptions ?? []).map((one) => bound(one, () => deps)),
  ];
  checkNames(followed);
  const names = followed.map(({ name }) => name);
  const runner = createRunner({ db, store, runtime, telemetry, options, followed });
  const parking = createParking({ db, store });
  const show = createStatusGauges(telemetry);
  let latest: readonly ProjectionStatus[] = [];
  let stats: { cancel(): void } | undefined;
  let unlisten = (): void => {};

  const find = (name: string): Followed => {
    const found = followed.find((one) => one.name === name);
    if (found === undefined) throw projectionErrors.UNKNOWN({ name, known: names.join(', ') || 'none' });
    return found;
  };

  const findProjection = (name: string): ProjectionDefinition => {
    const found = find(name);
    if (found.kind !== 'projection') throw projectionErrors.NO_TABLES({ name });
    return found;
  };

  /** What is known here and could not be written down. */
  const withOwnErrors = (status: ProjectionStatus): ProjectionStatus => {
    if (status.error !== undefined && status.state === 'FAILED') return status;
    for (const { part, error } of runner.followers.values())
      if (part.name === status.name && error !== undefined) return { ...status, state: 'FAILED', error };
    return status;
  };

  const list = async (ctx: Context): Promise<ProjectionStatus[]> =>
    followed.length === 0 ? [] : (await readStatus(db.at(ctx), runtime, followed)).map(withOwnErrors);

  let counting = false;
  const count = async (): Promise<void> => {
    if (counting) return;
    counting = true;
    try {
      using ctx = rootContext({ runtime, timeoutMs: STATUS_TIMEOUT_MS, trace: newTrace(runtime, false) });
      latest = await list(ctx);
      show(latest);
    } catch (thrown) {
      telemetry.log.debug('cannot count what projections are behind', { err: fromUnknown(thrown) });
    } finally {
      counting = false;
    }
  };

  const told = (ctx: Context, what: string, name: string, { actor, reason }: OperatorReason, more = {}): void =>
    ctx.log.info(what, { projection: name, actor, reason, ...more });

  return {
    prepare: async (ctx) => {
      for (const one of followed) await prepareGeneration(db, ctx, store, one);
    },
    bind: (given) => {
      deps = given;
    },
    start: async () => {
      if (followed.length === 0) return;
      unlisten = store.onAppended(runner.appended);
      await runner.start();
      stats = runtime.timers.every(options.statsMs, () => void count());
    },
    stop: async () => {
      stats?.cancel();
      unlisten();
      await runner.stop();
    },
    waitFor: async (ctx, name, position, timeoutMs) => {
      const one = find(name);
      const wanted = typeof position === 'string' ? decodePosition(position) : position;
      if (one.kind === 'projection' && one.mode === 'inline') return;
      await runner.progress.waitFor(ctx, name, wanted, timeoutMs);
    },
    applyInline: async (tx, name, events) => {
      const projection = findProjection(name);
      const mine = events.filter((event) => concerns(projection, event));
      if (mine.length > 0) await projection.apply(tx, mine, tableNames(projection, false));
    },
    list,
    health: () => latest,
    rebuild: async (ctx, name, why) => {
      const projection = findProjection(name);
      told(ctx, 'a rebuild was asked for', name, why);
      const generation = await beginRebuild(db, ctx, projection, why);
      runner.wake();
      for (;;) {
        const status = (await list(ctx)).find((one) => one.name === name);
        const { rebuild } = status ?? {};
        if (rebuild?.generation === generation) why.onProgress?.(rebuild.done, rebuild.total);
        else {
          if (status === undefined || status.generation >= generation) return;
          throw projectionErrors.REBUILD_FAILED({ name, why: status.error ?? 'it was given up' });
        }
        await runtime.timers.sleep(LOOK_EVERY_MS, ctx.signal);
      }
    },
    parked: async (ctx, name, { limit = PAGE, after } = {}) => parking.list(ctx, find(name), { limit, after }),
    redrive: async (ctx, name, { stream, ...why }) => {
      const redriven = await parking.redrive(ctx, find(name), stream);
      told(ctx, 'parked events were redriven', name, why, { ...redriven, failed: redriven.failed.length });
      return redriven;
    },
    discard: async (ctx, name, { stream, ...why }) => {
      const version = await parking.discard(ctx, find(name), stream);
      if (version !== undefined) told(ctx, 'a parked event was given up', name, why, { stream, version });
      return version;
    },
  };
}

/** Its handler is made at the first event. */
function bound(subscription: EventSubscription<never>, depsOf: () => unknown): BoundSubscription {
  let handler: StoredEventHandler | undefined;
  return {
    ...subscription,
    handler: () => {
      handler ??= subscription.handle(depsOf() as never);
      return handler;
    },
  };
}

/** @throws PROJECTION_INVALID */
function checkNames(followed: readonly Followed[]): void {
  const names = new Set<string>();
  const tables = new Set<string>();
  for (const one of followed) {
    const { name } = one;
    if (names.has(name)) throw projectionErrors.INVALID({ name, why: 'there are two of this name' });
    names.add(name);
    for (const table of one.kind === 'projection' ? one.tables : []) {
      if (tables.has(table)) throw projectionErrors.INVALID({ name, why: `${table} is a table of another projection` });
      tables.add(table);
    }
  }
}
