import { kernelErrors } from './error-catalogue.ts';

/** A first-in-first-out queue that refuses work rather than grow without end. */
export interface BoundedQueue<T> {
  readonly size: number;
  /** @throws SOUK_QUEUE_FULL (retry later) at capacity, SOUK_QUEUE_CLOSED after `close` */
  push(item: T): void;
  /** Up to `max` items that are there now, oldest first; empty when there is none. */
  drain(max: number): T[];
  /** The oldest item, as soon as there is one; `undefined` once the queue is closed and empty. */
  shift(): Promise<T | undefined>;
  /** Takes nothing more; what is queued can still be read. */
  close(): void;
}

/**
 * @param name Said in errors.
 * @param capacity Most items held; a waiting reader takes an item without it being held.
 */
export function createBoundedQueue<T>(name: string, capacity: number): BoundedQueue<T> {
  let items: T[] = [];
  // Index of the oldest item: shifting an array costs its length.
  let head = 0;
  let closed = false;
  const readers: Array<(item: T | undefined) => void> = [];

  const compact = () => {
    if (head > 1024 && head * 2 > items.length) {
      items = items.slice(head);
      head = 0;
    }
  };

  return {
    get size() {
      return items.length - head;
    },
    push: (item) => {
      if (closed) throw kernelErrors.QUEUE_CLOSED({ queue: name });
      const reader = readers.shift();
      if (reader) return reader(item);
      if (items.length - head >= capacity) throw kernelErrors.QUEUE_FULL({ queue: name });
      items.push(item);
    },
    drain: (max) => {
      const taken = items.slice(head, head + max);
      head += taken.length;
      compact();
      return taken;
    },
    shift: () => {
      if (head < items.length) {
        const item = items[head++];
        compact();
        return Promise.resolve(item);
      }
      if (closed) return Promise.resolve(undefined);
      return new Promise((resolve) => readers.push(resolve));
    },
    close: () => {
      closed = true;
      for (const reader of readers.splice(0)) reader(undefined);
    },
  };
}
