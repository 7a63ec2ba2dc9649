import type { Context } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import {
  countParkedStreams,
  type HeldPart,
  type Move,
  moveCheckpoint,
  type Part,
  parkEvents,
  parkedStreams,
} from './checkpoint.ts';
import { projectionErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import { type ProjectionDefinition, tableNames } from './projection.ts';
import type { EventSubscription, StoredEventHandler } from './subscription.ts';

/** A subscription whose service has started. */
export interface BoundSubscription extends EventSubscription<never> {
  handler(): StoredEventHandler;
}

/** What follows events. */
export type Followed = ProjectionDefinition | BoundSubscription;

/** The version of its tables; a subscription has none, and one version. */
export const versionOf = (followed: Followed): number => (followed.kind === 'projection' ? followed.version : 1);

/** A part that this process works on, and whether it fills tables beside the live ones. */
export interface WorkPart extends HeldPart {
  readonly building: boolean;
}

/**
 * Applies events in a transaction that has locked their part's checkpoint. Those of a stream with a parked event are parked behind it.
 *
 * @param mayBeParked False: no stream of the part is parked, so nobody has to be asked.
 */
export async function absorb(
  tx: Transaction,
  projection: ProjectionDefinition,
  part: Part & { readonly building: boolean },
  events: readonly RecordedEvent[],
  mayBeParked: boolean,
): Promise<void> {
  const parked = mayBeParked ? await parkedStreams(tx, part, events) : NONE;
  const going = parked.size === 0 ? events : events.filter(({ stream }) => !parked.has(stream));
  if (going.length > 0) await projection.apply(tx, going, tableNames(projection, part.building));
  if (parked.size > 0) {
    parkEvents(
      tx,
      part,
      events.filter(({ stream }) => parked.has(stream)),
    );
  }
}

const NONE: ReadonlySet<string> = new Set();

/** What is done to the events of one part. Each function moves the checkpoint in the transaction of the effect. */
export interface PartWork {
  /** Whether some stream may be parked; only who holds the part parks, so false is certain. */
  mayBeParked: boolean;
  /** Applies all events, or has the one event handled. @throws PROJECTION_FENCED; what the work throws, with nothing moved */
  run(ctx: Context, events: readonly RecordedEvent[], move: Move, attempt: number): Promise<void>;
  /** Puts aside what was recorded as one event. */
  park(ctx: Context, events: readonly RecordedEvent[], move: Move, error: string): Promise<void>;
}

export function createPartWork(db: Database, followed: Followed, part: WorkPart, mayBeParked: boolean): PartWork {
  const work: PartWork = {
    mayBeParked,
    run: (ctx, events, move, attempt) =>
      followed.kind === 'projection'
        ? apply(ctx, followed, events, move)
        : handle(ctx, followed, events, move, attempt),
    park: async (ctx, events, move, error) => {
      await db.tx(ctx, async (tx) => {
        await moveCheckpoint(tx, part, move);
        parkEvents(tx, part, events, error);
      });
      work.mayBeParked = true;
    },
  };

  const apply = (ctx: Context, projection: ProjectionDefinition, events: readonly RecordedEvent[], move: Move) =>
    db.tx(ctx, async (tx) => {
      await moveCheckpoint(tx, part, move);
      await absorb(tx, projection, part, events, work.mayBeParked);
    });

  /** @param events Those of one recorded event. */
  const handle = async (
    ctx: Context,
    subscription: BoundSubscription,
    events: readonly RecordedEvent[],
    move: Move,
    attempt: number,
  ): Promise<void> => {
    if (work.mayBeParked && (await parkBehind(ctx, events, move))) return;
    for (const [index, event] of events.entries()) {
      // All events that one became are done with the last of them.
      const isLast = index === events.length - 1;
      let moved = false;
      await subscription.handler()(ctx, event, {
        attempt,
        once: async (effect) => {
          const result = await db.tx(ctx, async (tx) => {
            if (isLast) await moveCheckpoint(tx, part, move);
            return effect(tx);
          });
          moved = isLast;
          return result;
        },
      });
      if (isLast && !moved) await moveCheckpoint(db.at(ctx), part, move);
    }
  };

  /** @throws PROJECTION_FENCED when the stream was redriven at this moment: read again, it is handled */
  const parkBehind = async (ctx: Context, events: readonly RecordedEvent[], move: Move): Promise<boolean> => {
    if ((await parkedStreams(db.at(ctx), part, events)).size === 0) return false;
    await db.tx(ctx, async (tx) => {
      await moveCheckpoint(tx, part, move);
      if ((await parkedStreams(tx, part, events)).size === 0)
        throw projectionErrors.FENCED({ name: part.name, part: part.part });
      parkEvents(tx, part, events);
    });
    return true;
  };

  return work;
}

/** How many streams of a part's generation are parked. */
export const parkedCount = (db: Database, ctx: Context, part: Part): Promise<number> =>
  countParkedStreams(db.at(ctx), part);
