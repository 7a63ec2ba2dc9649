import type { Runtime, Timer } from '@souk/kernel';

/*
 * A hashed wheel of 512 slots of 10 ms. An entry is a link in the list of its slot, so to add and to take away are a few assignments
 * and allocate nothing. One timer of the runtime stands at the earliest slot that was in use when it was set; nearly no entry ever
 * falls due, so it rings once per longest silence and not once per call.
 *
 * W1 An entry fires once, never before its time, and within two ticks after it when the event loop is free.
 * W2 An entry that was taken away never fires.
 */

/** Something that waits for an instant. Embed it: `class Call implements WheelEntry`. */
export interface WheelEntry {
  /** Owned by the wheel. */
  wheelDueTick: number;
  wheelNext: WheelEntry | undefined;
  wheelPrevious: WheelEntry | undefined;
  onDue(nowMs: number): void;
}

export interface TimerWheel {
  /** Has `entry.onDue` called once the time has come. An entry that waits already is moved. @param dueMs Monotonic milliseconds. */
  add(entry: WheelEntry, dueMs: number, nowMs: number): void;
  remove(entry: WheelEntry): void;
  /** Entries that wait. */
  readonly size: number;
}

const TICK_MS = 10;
const SLOTS = 512;
const NOT_WAITING = -1;
/** Taken from its slot and about to fire, unless another entry that fires first takes it away. */
const FIRING = -2;

/** Values for the fields that the wheel owns. */
export const NEW_ENTRY = { wheelDueTick: NOT_WAITING, wheelNext: undefined, wheelPrevious: undefined } as const;

export function createTimerWheel(runtime: Pick<Runtime, 'clock' | 'timers'>): TimerWheel {
  const { clock, timers } = runtime;
  /** Made when something first waits. */
  let heads: (WheelEntry | undefined)[] = [];
  let size = 0;
  let timer: Timer | undefined;
  let rings = Number.POSITIVE_INFINITY;
  /** The last tick whose entries were looked at. */
  let done = Math.floor(clock.monotonicMs() / TICK_MS);

  const unlink = (entry: WheelEntry): void => {
    const { wheelNext: next, wheelPrevious: previous } = entry;
    if (previous === undefined) heads[entry.wheelDueTick % SLOTS] = next;
    else previous.wheelNext = next;
    if (next !== undefined) next.wheelPrevious = previous;
    entry.wheelDueTick = NOT_WAITING;
    entry.wheelNext = undefined;
    entry.wheelPrevious = undefined;
    size--;
  };

  const arm = (tick: number, nowMs: number): void => {
    timer?.cancel();
    rings = tick;
    timer = timers.after(Math.max(0, tick * TICK_MS - nowMs), ring);
  };

  /** The next tick after `tick` at which anything may be due; a round later at most. */
  const nextTick = (tick: number): number => {
    for (let ahead = 1; ahead < SLOTS; ahead++) if (heads[(tick + ahead) % SLOTS] !== undefined) return tick + ahead;
    return tick + SLOTS;
  };

  const ring = (): void => {
    timer = undefined;
    rings = Number.POSITIVE_INFINITY;
    const nowMs = clock.monotonicMs();
    const tick = Math.max(done, Math.floor(nowMs / TICK_MS));
    const due: WheelEntry[] = [];
    // After a long stall every slot is looked at once, not once per round.
    const first = Math.max(done + 1, tick - SLOTS + 1);
    for (let at = first; at <= tick; at++) {
      for (let entry = heads[at % SLOTS]; entry !== undefined; ) {
        const next: WheelEntry | undefined = entry.wheelNext;
        if (entry.wheelDueTick <= tick) {
          unlink(entry);
          entry.wheelDueTick = FIRING;
          due.push(entry);
        }
        entry = next;
      }
    }
    done = tick;
    // Armed before they fire: one that throws must not stop the clock for the rest.
    if (size > 0) arm(nextTick(tick), nowMs);
    for (const entry of due) {
      if (entry.wheelDueTick !== FIRING) continue;
      entry.wheelDueTick = NOT_WAITING;
      entry.onDue(nowMs);
    }
  };

  return {
    get size() {
      return size;
    },
    add: (entry, dueMs, nowMs) => {
      if (entry.wheelDueTick >= 0) unlink(entry);
      if (heads.length === 0) heads = new Array(SLOTS).fill(undefined);
      if (size === 0) done = Math.max(done, Math.floor(nowMs / TICK_MS));
      const tick = Math.max(done + 1, Math.ceil(dueMs / TICK_MS));
      const slot = tick % SLOTS;
      const head = heads[slot];
      entry.wheelDueTick = tick;
      entry.wheelNext = head;
      if (head !== undefined) head.wheelPrevious = entry;
      heads[slot] = entry;
      size++;
      if (tick < rings) arm(tick, nowMs);
    },
    remove: (entry) => {
      if (entry.wheelDueTick >= 0) unlink(entry);
      else entry.wheelDueTick = NOT_WAITING;
    },
  };
}
