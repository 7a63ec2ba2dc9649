import {
  type Context,
  fromUnknown,
  hasReason,
  type Logger,
  type Runtime,
  raceAbort,
  type SoukError,
} from '@souk/kernel';
import type { Database } from '@souk/store';
import { type Checkpoint, moveCheckpoint, noteError, partName, readCheckpoint } from './checkpoint.ts';
import { projectionErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import type { EventStore } from './event-store.ts';
import { comparePositions, type Position, START } from './position.ts';
import { categoryOf, concerns } from './projection.ts';
import { createBell } from './projection-bell.ts';
import { describeFailure, isPermanent } from './projection-failure.ts';
import type { ProjectionOptions } from './projection-options.ts';
import { createOrderWatch } from './projection-order.ts';
import { createPartWork, type Followed, parkedCount, type WorkPart } from './projection-work.ts';

/*
 * One part at work in this process.
 *
 *   read --events--> run --committed--> read … --nothing more--> rest --news--> read
 *            |        └-- fails for good: halve, until one event stands alone, then park it
 *            └-- fails for now: wait, look where we are, read
 *
 * F1 the effect of events and the move past them are one transaction, so a crash between two awaits repeats or keeps both.
 * F2 who lost the part moves nothing: the fence is part of each move.
 * F3 nothing is left out: a part moves past an event when it was applied, parked, or concerns nobody.
 * F4 events of a stream come in order: those after a parked one are parked behind it.
 * F5 versions of a stream that come in another order, or with one left out, stop the part: they are never guessed at.
 */

export interface FollowerInit {
  readonly db: Database;
  readonly store: EventStore;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: ProjectionOptions;
  readonly followed: Followed;
  readonly part: WorkPart;
  readonly at: Checkpoint;
  /** A context of its own for each turn. */
  readonly context: (timeoutMs: number) => Context;
  /** Other processes read our checkpoint: it is saved even when it moves past nothing but other people's events. */
  readonly isWatched: () => boolean;
  readonly onMoved: (events: number) => void;
  /** Another process has the part. */
  readonly onLost: () => void;
  /** An event that the live tables have taken cannot be applied to those that are being built. */
  readonly onBuildFailed: (error: SoukError) => Promise<void>;
  /** Whether the live generation has parked what was recorded as this event. */
  readonly isParkedLive: (ctx: Context, event: RecordedEvent) => Promise<boolean>;
}

export interface Follower {
  readonly part: WorkPart;
  /** How far it is. */
  readonly seen: Position;
  readonly caughtUp: boolean;
  /** Why it does not go on; undefined while it does. */
  readonly error: string | undefined;
  /** Something was appended up to here; START: perhaps. */
  news(until: Position): void;
  /** Somebody waits for it to come so far, for so long. */
  hurry(until: Position, forMs: number): void;
  /** To be called every second or so. @param head Of the store. */
  tick(head: Position): void;
  /** Ends the turn under way and saves how far it is. The part is still held. */
  stop(): Promise<void>;
}

const SAVE_EVERY_MS = 1000;
const REST_MS = 60_000;
/** Waits for transactions that hold up the one that somebody asks for. */
const FIRST_HURRY_MS = 2;
const LONGEST_HURRY_MS = 100;

export function startFollower(init: FollowerInit): Follower {
  const { db, store, runtime, options, followed, part, context } = init;
  const { clock, timers } = runtime;
  const log = init.log.with({ projection: partName(part) });
  const [category, ...others] = followed.categories;
  const filter = {
    ...(category !== undefined && others.length === 0 && { category }),
    ...(part.parts > 1 && { partition: { index: part.part, of: part.parts } }),
  };
  const newsBell = createBell(timers);
  const hurryBell = createBell(timers);
  const order = createOrderWatch({ name: part.name, store });
  let work = createPartWork(db, followed, part, true);
  let known = false;
  let seen = init.at.position;
  let saved = seen;
  let savedMs = clock.monotonicMs();
  let caughtUp = false;
  /** Undefined: what is saved is not known. */
  let savedCaughtUp: boolean | undefined;
  /** Where the events that were read last end. */
  let pageEnd = seen;
  /** Reads in a row that found nothing new. */
  let emptyReads = 0;
  let appended: Position = START;
  let wanted: Position = START;
  let wantedEndMs = Number.NEGATIVE_INFINITY;
  let hurryMs = FIRST_HURRY_MS;
  let size = options.batchSize;
  /** The last transaction. */
  let tookMs = 0;
  let readMs = Number.NEGATIVE_INFINITY;
  let progressMs = clock.monotonicMs();
  let stalled = false;
  let failures = 0;
  let error: string | undefined;
  let stopping = false;
  const stopped = new AbortController();

  const isBehind = (until: Position): boolean => comparePositions(seen, until) < 0;
  const isHurried = (): boolean => isBehind(wanted) && clock.monotonicMs() < wantedEndMs;

  const pauseBefore = (attempt: number): number =>
    Math.min(options.longestPauseMs, options.firstPauseMs * 2 ** Math.min(20, attempt - 1)) *
    (0.5 + runtime.random.next() / 2);

  const moved = (to: Position, events: number): void => {
    seen = to;
    saved = to;
    savedMs = clock.monotonicMs();
    init.onMoved(events);
  };

  /** Looks where the part is: a commit whose answer was lost may have moved it. @returns false when it is not ours any more */
  const reload = async (ctx: Context): Promise<boolean> => {
    const row = await readCheckpoint(db.at(ctx), part);
    if (row?.fence !== part.fence) return false;
    work = createPartWork(db, followed, part, (await parkedCount(db, ctx, part)) > 0);
    seen = row.position;
    saved = row.position;
    savedCaughtUp = undefined;
    known = true;
    return true;
  };

  const save = async (ctx: Context): Promise<void> => {
    const to = seen;
    if (comparePositions(to, saved) === 0 && savedCaughtUp === caughtUp) return;
    await moveCheckpoint(db.at(ctx), part, { from: saved, to, events: 0, caughtUp });
    saved = to;
    savedCaughtUp = caughtUp;
    savedMs = clock.monotonicMs();
  };

  /** @returns whether there is more to read at once */
  const turn = async (ctx: Context): Promise<boolean> => {
    readMs = clock.monotonicMs();
    const page = await store.readAll(db.at(ctx), { after: seen, limit: size, ...filter });
    caughtUp = page.head;
    pageEnd = page.next;
    emptyReads = isBehind(page.next) ? 0 : emptyReads + 1;
    const inCategory = page.events.filter(
      ({ stream }) => followed.categories.length === 0 || followed.categories.includes(categoryOf(stream)),
    );
    await order.check(db.at(ctx), inCategory);
    const mine = inCategory.filter((event) => concerns(followed, event));
    if (mine.length > 0) await runAll(ctx, recorded(mine), page.next, inCategory.length);
    else {
      seen = page.next;
      const isDue = init.isWatched() || clock.monotonicMs() - savedMs >= SAVE_EVERY_MS || caughtUp !== savedCaughtUp;
      if (isDue) await save(ctx);
      init.onMoved(0);
    }
    progressMs = clock.monotonicMs();
    return !page.head;
  };

  const runAll = async (
    ctx: Context,
    groups: readonly RecordedEvent[][],
    to: Position,
    events: number,
  ): Promise<void> => {
    // A subscription handles one event at a time; each is a transaction of its own.
    const single = followed.kind === 'subscription';
    if (single && groups.length > 1) {
      for (const [index, group] of groups.entries()) {
        if (stopping) return;
        const isLast = index === groups.length - 1;
        await runAll(ctx, [group], isLast ? to : positionOf([group]), isLast ? events - index : 1);
      }
      return;
    }
    for (let attempt = 1; ; attempt++) {
      const move = { from: saved, to, events, caughtUp: caughtUp && to === pageEnd };
      const beganMs = clock.monotonicMs();
      try {
        await work.run(ctx, groups.flat(), move, failures + attempt);
        tookMs = clock.monotonicMs() - beganMs;
        moved(to, events);
        savedCaughtUp = move.caughtUp;
        return;
      } catch (thrown) {
        const failure = fromUnknown(thrown);
        if (!isPermanent(failure)) throw failure;
        if (groups.length > 1) {
          const middle = groups.length >> 1;
          const first = groups.slice(0, middle);
          await runAll(ctx, first, positionOf(first), middle);
          return runAll(ctx, groups.slice(middle), to, Math.max(0, events - middle));
        }
        if (attempt >= options.attempts) return park(ctx, groups.flat(), to, events, failure);
        await timers.sleep(pauseBefore(attempt), stopped.signal);
      }
    }
  };

  const park = async (
    ctx: Context,
    group: readonly RecordedEvent[],
    to: Position,
    events: number,
    failure: SoukError,
  ) => {
    const [event] = group as [RecordedEvent];
    if (part.building && !(await init.isParkedLive(ctx, event))) throw new BuildFailure(failure);
    const why = describeFailure(failure);
    const count = await parkedCount(db, ctx, part);
    if (count >= options.maxParkedStreams) throw projectionErrors.TOO_MANY_PARKED({ name: part.name, count, why });
    await work.park(ctx, group, { from: saved, to, events, caughtUp: false }, why);
    moved(to, events);
    savedCaughtUp = false;
    const { stream, version, type } = event;
    log.error('an event cannot be applied: it is parked with all later ones of its stream', {
      ...{ stream, version, type },
      err: failure,
    });
  };

  const rest = async (): Promise<void> => {
    if (isHurried()) {
      await hurryBell.rest(hurryMs);
      hurryMs = Math.min(LONGEST_HURRY_MS, hurryMs * 2);
      return;
    }
    hurryMs = FIRST_HURRY_MS;
    if (!isBehind(appended)) await newsBell.rest(REST_MS);
    // What was appended may be held up by a transaction that began before and is still open.
    const pauseMs = Math.min(SAVE_EVERY_MS, options.coalesceMs * 2 ** Math.min(10, emptyReads));
    while (!stopping && !isHurried()) {
      const leftMs = readMs + pauseMs - clock.monotonicMs();
      if (leftMs <= 0) return;
      await hurryBell.rest(leftMs);
    }
  };

  /** @returns false when the part is lost */
  const failed = async (thrown: unknown): Promise<boolean> => {
    known = false;
    if (stopping) return true;
    if (thrown instanceof BuildFailure) {
      await init.onBuildFailed(thrown.failure);
      return false;
    }
    const failure = fromUnknown(thrown);
    if (hasReason(failure, 'PROJECTION_FENCED') && failures === 0) {
      failures++;
      return true;
    }
    failures++;
    size = failure.code === 'deadline_exceeded' ? Math.max(1, size >> 1) : size;
    error = describeFailure(failure);
    log.warn('a projection or subscription does not go on for now; it is tried again', { failures, err: failure });
    using ctx = context(options.batchMs);
    await noteError(db.at(ctx), part, error).catch(() => undefined);
    await timers.sleep(pauseBefore(failures), stopped.signal).catch(() => undefined);
    return true;
  };

  const step = async (): Promise<boolean> => {
    using ctx = context(options.batchMs);
    const read = async (): Promise<'lost' | 'more' | 'head'> => {
      if (!known && !(await reload(ctx))) return 'lost';
      return (await turn(ctx)) ? 'more' : 'head';
    };
    // Whatever hangs is left behind; when it commits after all, the next look at the checkpoint finds it.
    const outcome = await raceAbort(read(), ctx.signal);
    if (outcome === 'lost') return false;
    failures = 0;
    error = undefined;
    // All readers of events wait for a transaction that writes, whoever's it is: batches are kept short.
    if (tookMs > options.batchTargetMs) size = Math.max(1, size >> 1);
    else if (tookMs < options.batchTargetMs / 4) size = Math.min(options.batchSize, size * 2);
    tookMs = 0;
    if (outcome === 'head' && !stopping) await rest();
    return true;
  };

  const run = async (): Promise<void> => {
    while (!stopping) {
      const goesOn = await step().catch(failed);
      if (!goesOn) {
        init.onLost();
        return;
      }
    }
    using ctx = context(options.batchMs);
    if (known) await save(ctx).catch(() => undefined);
  };
  const running = run();

  return {
    part,
    get seen() {
      return seen;
    },
    get caughtUp() {
      return caughtUp;
    },
    get error() {
      return error;
    },
    news: (until) => {
      if (comparePositions(until, appended) > 0) appended = until;
      newsBell.ring();
    },
    hurry: (until, forMs) => {
      if (!isHurried()) {
        wanted = until;
        wantedEndMs = Number.NEGATIVE_INFINITY;
      } else if (comparePositions(until, wanted) > 0) wanted = until;
      wantedEndMs = Math.max(wantedEndMs, clock.monotonicMs() + forMs);
      hurryMs = FIRST_HURRY_MS;
      newsBell.ring();
      hurryBell.ring();
    },
    tick: (head) => {
      const quietMs = clock.monotonicMs() - progressMs;
      if (!isBehind(head)) progressMs = clock.monotonicMs();
      else newsBell.ring();
      if (comparePositions(seen, saved) !== 0 || caughtUp !== savedCaughtUp) newsBell.ring();
      const isStalled = isBehind(head) && quietMs > options.stallMs;
      if (isStalled && !stalled) {
        const stall = projectionErrors.STALLED({
          name: part.name,
          part: part.part,
          seconds: Math.round(quietMs / 1000),
        });
        error ??= describeFailure(stall);
        log.error('a projection or subscription does not move although there are events', { err: stall });
      }
      stalled = isStalled;
    },
    stop: async () => {
      stopping = true;
      stopped.abort();
      newsBell.ring();
      hurryBell.ring();
      await running;
    },
  };
}

/** Not for the loop to try again: the tables that are being built are given up. */
class BuildFailure {
  readonly failure: SoukError;
  constructor(failure: SoukError) {
    this.failure = failure;
  }
}

/** What upcasters made of one recorded event stays together. */
function recorded(events: readonly RecordedEvent[]): RecordedEvent[][] {
  const groups: RecordedEvent[][] = [];
  for (const event of events) {
    const last = groups.at(-1);
    const before = last?.[0]?.position;
    if (before !== undefined && comparePositions(before, event.position) === 0) last?.push(event);
    else groups.push([event]);
  }
  return groups;
}

function positionOf(groups: readonly RecordedEvent[][]): Position {
  const [event] = groups.at(-1) as [RecordedEvent];
  return event.position;
}
