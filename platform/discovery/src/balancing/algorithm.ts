import type { Member } from './member.ts';
import type { Pool } from './pool.ts';

/** One pick, as an algorithm sees it. One object is used for all picks. */
export interface Draw {
  /** Of the key, or undefined: then hash algorithms draw. */
  keyHash: number | undefined;
  avoid: ReadonlySet<string> | undefined;
  /** Calls in flight at which an instance is full. */
  limit: number;
  nowMs: number;
}

/** Chooses one of a pool. Keeps what it must remember of members over changes of the pool. */
export interface Algorithm {
  /** The pool has other members, or they take part in another way. */
  change(pool: Pool): void;
  /** @returns undefined when the draw admits no member */
  pick(pool: Pool, draw: Draw): Member | undefined;
  /** A call on a member ended. */
  settled?(member: Member, ok: boolean): void;
}

/** Whether the call may go anywhere: then nobody needs to be asked. */
export const admitsAll = (draw: Draw): boolean => draw.avoid === undefined && draw.limit === Number.POSITIVE_INFINITY;

/** Whether the call may go there: not tried before, and not full. */
export const admits = (draw: Draw, member: Member): boolean =>
  member.inFlight < draw.limit && (draw.avoid === undefined || !draw.avoid.has(member.instance.id));
