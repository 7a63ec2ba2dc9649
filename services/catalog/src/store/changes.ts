import type { Clock, Context } from '@souk/kernel';
import type { Database } from '@souk/store';

export interface ChangesInit {
  readonly db: Database;
  readonly clock: Clock;
  /** How long changes of other processes may stay unseen, in milliseconds. */
  readonly seenWithinMs: number;
  /** Called after each change that is seen: whatever is remembered may be old. */
  readonly onChange: () => void;
}

/** Tells when what is remembered of products is old. */
export interface Changes {
  /**
   * To be awaited before anything remembered is used. Asks the database for changes of other processes when it was not asked for so long.
   * One caller asks when half of that time is over, so that the others rarely wait.
   */
  see(ctx: Context): Promise<void>;
  /** This process has committed a change. */
  made(): void;
}

const SUM = `/* catalog.see-changes */ select sum(changes)::text as changes from change`;

export function createChanges({ db, clock, seenWithinMs, onChange }: ChangesInit): Changes {
  let seen: string | undefined;
  let seenMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  const ask = async (ctx: Context): Promise<void> => {
    const askedMs = clock.monotonicMs();
    const { rows } = await db.at(ctx).query<{ changes: string }>(SUM);
    const changes = rows[0]?.changes ?? '';
    if (changes !== seen) onChange();
    seen = changes;
    seenMs = Math.max(seenMs, askedMs);
  };

  const askForAll = (ctx: Context): Promise<void> => {
    asking = ask(ctx).finally(() => {
      asking = undefined;
    });
    return asking;
  };

  return {
    see: async (ctx) => {
      const ageMs = clock.monotonicMs() - seenMs;
      if (ageMs * 2 < seenWithinMs) return;
      if (asking === undefined) return askForAll(ctx);
      // Whoever asked may have left, or a change may have come since: at zero, everyone asks.
      if (ageMs >= seenWithinMs) await (seenWithinMs === 0 ? ask(ctx) : asking.catch(() => ask(ctx)));
    },
    made: onChange,
  };
}
