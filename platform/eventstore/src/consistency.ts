import { type Context, fromUnknown, type Runtime, raceAbort } from '@souk/kernel';
import type { Database } from '@souk/store';
import { projectionErrors } from './errors.ts';
import { comparePositions, type Position } from './position.ts';
import { createBell } from './projection-bell.ts';

/** How far the live parts of projections are, as this process knows, and who waits for them. */
export interface Progress {
  /** What somebody has seen of a part. What is known never goes back. */
  note(name: string, part: { readonly part: number; readonly parts: number }, seen: Position): void;
  /**
   * Resolves when all parts are past a position.
   * @throws PROJECTION_BEHIND after `timeoutMs`, or when the call's time is over; SOUK_CANCELED
   */
  waitFor(ctx: Context, name: string, wanted: Position, timeoutMs: number): Promise<void>;
}

const POSITIONS = `
  /* live-positions */
  SELECT c.name, c.part, c.parts, c.epoch, c.xid::text AS xid, c.position
  FROM souk.es_checkpoint c JOIN souk.es_generation g USING (name, generation) WHERE g.state = 'live' AND c.name = ANY ($1::text[])`;

interface PositionRow {
  readonly name: string;
  readonly part: number;
  readonly parts: number;
  readonly epoch: number;
  readonly xid: string;
  readonly position: bigint;
}

interface Waiter {
  readonly name: string;
  readonly wanted: Position;
  readonly resolve: () => void;
}

/** Pauses between two looks at what other processes have done, in milliseconds. One look serves all who wait. */
const FIRST_LOOK_MS = 10;
const LONGEST_LOOK_MS = 250;

/**
 * @param init.isHere Whether all live parts are worked on in this process, so that nobody else has to be asked.
 * @param init.hurry Tells the parts of this process that somebody waits.
 */
export function createProgress(init: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly context: () => Context;
  readonly isHere: (name: string) => boolean;
  readonly hurry: (name: string, wanted: Position, forMs: number) => void;
}): Progress {
  const { db, runtime, context, isHere, hurry } = init;
  const known = new Map<string, Position[]>();
  const waiters = new Set<Waiter>();
  const bell = createBell(runtime.timers);
  let looking = false;
  let pauseMs = FIRST_LOOK_MS;

  const isPast = (name: string, wanted: Position): boolean => {
    const parts = known.get(name);
    if (parts === undefined) return false;
    for (let part = 0; part < parts.length; part++) {
      const seen = parts[part];
      if (seen === undefined || comparePositions(seen, wanted) < 0) return false;
    }
    return true;
  };

  const note: Progress['note'] = (name, { part, parts }, seen) => {
    let positions = known.get(name);
    if (positions?.length !== parts) {
      positions = Array.from({ length: parts });
      known.set(name, positions);
    }
    const before = positions[part];
    if (before !== undefined && comparePositions(before, seen) >= 0) return;
    positions[part] = seen;
    for (const waiter of waiters) {
      if (waiter.name !== name || !isPast(name, waiter.wanted)) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  };

  /** Looks as long as somebody waits for what is worked on elsewhere; soon after somebody came, then less and less often. */
  const look = async (): Promise<void> => {
    pauseMs = FIRST_LOOK_MS;
    bell.ring();
    if (looking) return;
    looking = true;
    try {
      for (;;) {
        await bell.rest(pauseMs);
        // Those who come at the same time are served by one look.
        await runtime.timers.sleep(FIRST_LOOK_MS);
        const names = new Set([...waiters].map(({ name }) => name).filter((name) => !isHere(name)));
        if (names.size === 0) return;
        pauseMs = Math.min(LONGEST_LOOK_MS, pauseMs * 2);
        using ctx = context();
        const { rows } = await db.at(ctx).query<PositionRow>(POSITIONS, [[...names]]);
        for (const { name, part, parts, epoch, xid, position } of rows)
          note(name, { part, parts }, { epoch, xid: BigInt(xid), position });
      }
    } catch (thrown) {
      using ctx = context();
      ctx.log.debug('could not ask how far projections are; who waits is told so', { err: fromUnknown(thrown) });
    } finally {
      looking = false;
    }
  };

  return {
    note,
    waitFor: async (ctx, name, wanted, timeoutMs) => {
      if (isPast(name, wanted)) return;
      const ms = Math.trunc(Math.min(timeoutMs, ctx.remainingMs()));
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiter = { name, wanted, resolve };
      waiters.add(waiter);
      hurry(name, wanted, ms);
      if (!isHere(name)) void look();
      const limit = new AbortController();
      const timer = runtime.timers.after(ms, () => limit.abort(projectionErrors.BEHIND({ name, ms })));
      try {
        const waiting = raceAbort(promise, limit.signal);
        await (ctx.cancellation === undefined ? waiting : raceAbort(waiting, ctx.cancellation));
      } catch (thrown) {
        throw fromUnknown(thrown);
      } finally {
        timer.cancel();
        waiters.delete(waiter);
      }
    },
  };
}
