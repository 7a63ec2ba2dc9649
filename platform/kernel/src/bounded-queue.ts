import { kernelErrors } from './error-catalogue.ts';

/** A first-in-first-out queue that refuses work rather than grow without end. */
export interface BoundedQueue<T> {
  readonly size: number;
  /** @throws SOUK_QUEUE_FULL (retry later) at capacity, SOUK_QUEUE_CLOSED after `close` */
  push(item: T): void;
  /** Up to `max` items that are there now, oldest first; empty when there is none. */
  drain(max: number): T[];
  /**
   * The oldest item, as soon as there is one; `undefined` once the queue is closed and empty.
   * @throws the signal's reason when it aborts first; no item is lost then
   */
  shift(signal?: AbortSignal): Promise<T | undefined>;
  /** Takes nothing more; what is queued can still be read. */
  close(): void;
}

/**
 * @param name Said in errors.
 * @param capacity Most items held; a waiting reader takes an item without it being held.
 */
export function createBoundedQueue<T>(name: string, capacity: number): BoundedQueue<T> {
  let items: Array<T | undefined> = [];
  // Index of the oldest item: shifting an array costs its length.
  let head = 0;
  let closed = false;
  const readers = new Set<(item: T | undefined) => void>();

  const take = (): T => {
    const item = items[head] as T;
    // What was read must not be kept alive by the queue.
    items[head++] = undefined;
    if (head === items.length || (head > 1024 && head * 2 > items.length)) {
      items = items.slice(head);
      head = 0;
    }
    return item;
  };

  return {
    get size() {
      return items.length - head;
    },
    push: (item) => {
      if (closed) throw kernelErrors.QUEUE_CLOSED({ queue: name });
      for (const reader of readers) {
        readers.delete(reader);
        reader(item);
        return;
      }
      if (items.length - head >= capacity) throw kernelErrors.QUEUE_FULL({ queue: name });
      items.push(item);
    },
    drain: (max) => Array.from({ length: Math.max(0, Math.min(max, items.length - head)) }, take),
    shift: (signal) => {
      if (signal?.aborted) return Promise.reject(signal.reason);
      if (head < items.length) return Promise.resolve(take());
      if (closed) return Promise.resolve(undefined);
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          readers.delete(reader);
          reject(signal?.reason);
        };
        const reader = (item: T | undefined) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(item);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        readers.add(reader);
      });
    },
    close: () => {
      closed = true;
      for (const reader of readers) reader(undefined);
      readers.clear();
    },
  };
}
