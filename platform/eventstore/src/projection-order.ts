import type { Sql } from '@souk/store';
import { projectionErrors } from './errors.ts';
import type { RecordedEvent } from './event.ts';
import type { EventStore } from './event-store.ts';
import { comparePositions, type Position } from './position.ts';

/** Holds the events of one part to what the store promises: the versions of a stream come in order, and none is left out. */
export interface OrderWatch {
  /**
   * To be called with what was read, in its order, before it is filtered by types. What was seen before is no news.
   *
   * @throws PROJECTION_OUT_OF_ORDER, again and again: nothing after the fault is taken
   */
  check(sql: Sql, events: readonly RecordedEvent[]): Promise<void>;
}

interface Last {
  readonly version: number;
  readonly position: Position;
}

/** Streams that are remembered. Of one that was forgotten, or that a process meets for the first time, any version may come. */
const MAX_STREAMS = 10_000;

export function createOrderWatch(
  init: { readonly name: string; readonly store: EventStore },
  maxStreams = MAX_STREAMS,
): OrderWatch {
  const { name, store } = init;
  const lasts = new Map<string, Last>();

  const note = ({ stream, version, position }: RecordedEvent): void => {
    lasts.delete(stream);
    lasts.set(stream, { version, position });
    if (lasts.size <= maxStreams) return;
    const [oldest] = lasts.keys();
    if (oldest !== undefined) lasts.delete(oldest);
  };

  /** Whether upcasters make nothing of the versions between two that came. */
  const areDropped = async (sql: Sql, stream: string, after: number, before: number): Promise<boolean> => {
    let last = after;
    for await (const page of store.readPages(sql, stream, { fromVersion: after + 1, limit: before - after - 1 })) {
      if (page.events.length > 0) return false;
      last = page.version;
    }
    // One that is missing would have let in one of those behind it.
    return last === before - 1;
  };

  return {
    check: async (sql, events) => {
      for (const event of events) {
        const { stream, version, position } = event;
        const last = lasts.get(stream);
        if (last !== undefined) {
          const after = comparePositions(position, last.position);
          // What upcasters made several of has one position; what was read again has an earlier one.
          if (after < 0 || (after === 0 && version === last.version)) continue;
          const follows = version === last.version + 1;
          const skips = version > last.version + 1 && (await areDropped(sql, stream, last.version, version));
          if (!follows && !skips) throw projectionErrors.OUT_OF_ORDER({ name, stream, last: last.version, version });
        }
        note(event);
      }
    },
  };
}
