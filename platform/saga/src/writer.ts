import { fromUnknown, type Runtime } from '@souk/kernel';
import { encodeWrite } from './encode-write.ts';
import { sagaErrors } from './errors.ts';
import type { EncodedWrite, Lease, SagaStart, SagaStorage, SagaWrite } from './storage.ts';

const MAX_WRITES = 500;
/** While the database works on one batch this process makes the next: more than two only queue up there. */
const MAX_IN_FLIGHT = 2;
/** Fewer wait for the batch in flight, and share a commit with what comes until then. */
const OVERLAP_WRITES = 24;
const GATHER_TICKS = 12;
const MAX_CHARS = 1024 * 1024;
const MAX_QUEUED = 10_000;
const RESEND_FIRST_MS = 50;
const RESEND_MAX_MS = 1_000;

/** Sends the changes of all sagas of a worker, as many as there are in one statement. */
export interface Writer {
  /**
   * Resolves when the change is committed. One change per saga at a time.
   * @throws SAGA_OWNERSHIP_LOST, SAGA_RECORD_REFUSED when the database cannot take these records, SAGA_WRITER_FULL, SAGA_STOPPED
   */
  append(write: SagaWrite): Promise<void>;
  /**
   * A start of its own, in the commit of the next batch.
   * @returns false when there is such a saga already
   */
  start(start: SagaStart): Promise<boolean>;
  /** Extends the lease, with the next batch. Resolves when it is extended. */
  beat(): Promise<void>;
  /** Refuses what is queued and what comes. */
  close(): void;
}

interface Queued {
  readonly write: EncodedWrite;
  /** For a start: there is such a saga already. Without it that means that the saga is another's now. */
  readonly onTaken?: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * "Pump when idle": while a statement is in flight everything else queues for the next; there is no timer to wait for. A second statement
 * goes out beside the first when there is much to write.
 *
 * @param options.onFenced Called once when the database says that the lease is over.
 */
export function createWriter(options: {
  readonly storage: SagaStorage;
  readonly lease: Lease;
  readonly runtime: Runtime;
  readonly leaseMs: number;
  readonly onFenced: () => void;
}): Writer {
  const { storage, lease, runtime } = options;
  const closing = new AbortController();
  let queue: Queued[] = [];
  const beats: PromiseWithResolvers<void>[] = [];
  let pumps = 0;

  const close = (): void => {
    if (closing.signal.aborted) return;
    closing.abort(sagaErrors.STOPPED());
    for (const item of queue.splice(0)) item.reject(closing.signal.reason);
    for (const beat of beats.splice(0)) beat.reject(closing.signal.reason);
  };

  const take = (): Queued[] => {
    let chars = 0;
    let count = 0;
    for (const item of queue) {
      chars += item.write.chars;
      if (count === MAX_WRITES || (count > 0 && chars > MAX_CHARS)) break;
      count++;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    return batch;
  };

  const send = async (batch: readonly Queued[], extendMs: number | undefined): Promise<boolean> => {
    const writes = batch.map((item) => item.write);
    let again = false;
    // Safe to send again: what an earlier try committed is recognised by its records.
    for (let delayMs = RESEND_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RESEND_MAX_MS)) {
      closing.signal.throwIfAborted();
      try {
        const { live, accepted } = await storage.write(lease, writes, { extendMs, again, nowMs: runtime.clock.now() });
        if (!live) {
          for (const item of batch) item.reject(sagaErrors.OWNERSHIP_LOST());
          close();
          options.onFenced();
          return false;
        }
        const ids = new Set(accepted);
        for (const item of batch) {
          if (ids.has(item.write.source.id)) item.resolve();
          else if (item.onTaken !== undefined) item.onTaken();
          else item.reject(sagaErrors.OWNERSHIP_LOST());
        }
        return true;
      } catch (thrown) {
        const error = fromUnknown(thrown);
        if (error.retry.kind === 'never' && error.code !== 'canceled') return refused(batch, extendMs, error);
        again = true;
        await runtime.timers.sleep(delayMs, closing.signal);
      }
    }
  };

  /** Halves the batch until the bad row stands alone: it fails only its own saga. */
  const refused = async (batch: readonly Queued[], extendMs: number | undefined, cause: unknown): Promise<boolean> => {
    if (batch.length === 0) throw cause;
    // The heartbeat must not depend on which half stands.
    if (extendMs !== undefined && !(await send([], extendMs))) return false;
    if (batch.length === 1) {
      batch[0]?.reject(sagaErrors.RECORD_REFUSED({}, { cause }));
      return true;
    }
    const middle = batch.length >> 1;
    return (await send(batch.slice(0, middle), undefined)) && (await send(batch.slice(middle), undefined));
  };

  /** Sagas that go on together append in the same turn of the event loop, some microtasks apart: they share a batch. */
  const gathered = async (): Promise<void> => {
    for (let seen = -1; seen !== queue.length; ) {
      seen = queue.length;
      for (let tick = 0; tick < GATHER_TICKS; tick++) await undefined;
    }
  };

  const pump = async (): Promise<void> => {
    pumps++;
    await gathered();
    while ((queue.length > 0 || beats.length > 0) && !closing.signal.aborted) {
      const batch = take();
      const beating = beats.splice(0);
      try {
        const live = await send(batch, beating.length > 0 ? options.leaseMs : undefined);
        for (const beat of beating) live ? beat.resolve() : beat.reject(sagaErrors.OWNERSHIP_LOST());
      } catch (error) {
        for (const item of batch) item.reject(error);
        for (const beat of beating) beat.reject(error);
      }
      await gathered();
      if (pumps > 1 && queue.length < OVERLAP_WRITES) break;
    }
    pumps--;
  };

  const wake = (): void => {
    if (pumps === 0 || (pumps < MAX_IN_FLIGHT && queue.length >= OVERLAP_WRITES)) void pump();
  };

  const enqueue = (item: Queued): void => {
    if (closing.signal.aborted) item.reject(closing.signal.reason);
    else if (queue.length >= MAX_QUEUED) item.reject(sagaErrors.WRITER_FULL());
    else {
      queue.push(item);
      wake();
    }
  };

  const starting = new Map<string, Promise<boolean>>();
  const startOnce = async (start: SagaStart): Promise<boolean> => {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    enqueue({
      write: encodeWrite({ id: start.id, start }),
      onTaken: () => resolve(false),
      resolve: () => resolve(true),
      reject,
    });
    return promise;
  };

  return {
    append: (write) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      enqueue({ write: encodeWrite(write), resolve, reject });
      return promise;
    },
    start: async (start) => {
      // No saga is twice in a batch, and what one start came to is what the other finds.
      for (let other = starting.get(start.id); other !== undefined; other = starting.get(start.id)) {
        if (await other) return false;
      }
      const begun = startOnce(start);
      starting.set(start.id, begun);
      try {
        return await begun;
      } finally {
        starting.delete(start.id);
      }
    },
    beat: () => {
      if (closing.signal.aborted) return Promise.reject(closing.signal.reason);
      const beat = Promise.withResolvers<void>();
      beats.push(beat);
      wake();
      return beat.promise;
    },
    close,
  };
}
