import {
  type Context,
  fromUnknown,
  hasReason,
  type Runtime,
  raceAbort,
  rootContext,
  type SoukError,
} from '@souk/kernel';
import { type Database, storeErrors } from '@souk/store';
import type { AppendResult, Prepared } from './append.ts';
import { meaningOf, resultOf, type Sending, sendAppends } from './append-statement.ts';

const MAX_APPENDS = 500;
const MAX_CHARACTERS = 1024 * 1024;
/** Appends that wait for a statement. Beyond it callers are told to come back. */
const MAX_QUEUED = 10_000;
/** While the database works on one batch this process makes the next. */
const MAX_IN_FLIGHT = 2;
/** Fewer wait for the batch in flight, and share a commit with what comes until then. */
const OVERLAP_APPENDS = 6;
const GATHER_TICKS = 12;
/** Statements at once for streams that another transaction holds. */
const MAX_WAITING = 4;
const ATTEMPTS = 6;
const FIRST_WAIT_MS = 10;
/** A batch that takes longer is given up, and asked about. */
const STATEMENT_MS = 30_000;

/** Appends of many callers, in few statements. */
export interface Appender {
  /**
   * Resolves when the append is committed.
   * @throws EVENTSTORE_WRONG_VERSION, EVENTSTORE_EVENT_EXISTS; STORE_POOL_EXHAUSTED with more than 10,000 appends waiting;
   * STORE_OUTCOME_UNKNOWN when the database does not come back to say
   */
  append(ctx: Context, append: Prepared): Promise<AppendResult>;
}

interface Queued extends Sending {
  readonly ctx: Context;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * "Pump when idle": while a statement is in flight everything else queues for the next; there is no timer to wait for. A second statement goes
 * out beside the first when there is much to write, never for a stream of the first. A batch holds
 * one append per stream. It never waits for a stream that another transaction holds: such an append goes alone.
 */
export function createAppender(init: { readonly db: Database; readonly runtime: Runtime }): Appender {
  const { db, runtime } = init;
  let queue: Queued[] = [];
  const busy: Queued[] = [];
  let pumps = 0;
  /** Streams of the batches under way: appends to one stream are written in the order they were asked for. */
  const inFlight = new Set<string>();
  let waiting = 0;

  /** The oldest first; a second append to a stream stays for the next batch, and so keeps its order. */
  const take = (): Queued[] => {
    const batch: Queued[] = [];
    const left: Queued[] = [];
    const streams = new Set<string>();
    let characters = 0;
    for (const [index, item] of queue.entries()) {
      if (batch.length === MAX_APPENDS || (batch.length > 0 && characters + item.dataItems.length > MAX_CHARACTERS)) {
        left.push(...queue.slice(index));
        break;
      }
      if (streams.has(item.stream) || inFlight.has(item.stream)) left.push(item);
      else if (isOver(item)) continue;
      else {
        streams.add(item.stream);
        characters += item.dataItems.length;
        batch.push(item);
      }
    }
    queue = left;
    return batch;
  };

  const attempt = async (batch: readonly Queued[], wait: boolean): Promise<void> => {
    using ctx = rootContext({ runtime, timeoutMs: STATEMENT_MS });
    const outcomes = await sendAppends(db.at(ctx), batch, new Date(runtime.clock.now()), { wait, whole: false });
    for (const [index, item] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome?.is === 'busy') busy.push(item);
      else {
        try {
          item.resolve(resultOf(item, outcome));
        } catch (error) {
          item.reject(error);
        }
      }
    }
  };

  const send = async (given: readonly Queued[], wait: boolean): Promise<void> => {
    let batch = given;
    for (let attempts = 1; ; attempts++) {
      try {
        await attempt(batch, wait);
        return;
      } catch (thrown) {
        const error = fromUnknown(meaningOf(thrown));
        const unknown = error.retry.kind === 'unknownOutcome' || hasReason(error, 'STORE_CANCELED');
        if (attempts < ATTEMPTS && (unknown || hasReason(error, 'STORE_CONFLICT'))) {
          // It may be there: the ids tell.
          batch = batch.map((item) => ({ ...item, repeated: true }));
          await runtime.timers.sleep(runtime.random.next() * FIRST_WAIT_MS * 2 ** attempts);
        } else return refused(batch, wait, error);
      }
    }
  };

  /** What says no to a batch may mean one append of it: halves it until the bad one stands alone. */
  const refused = async (batch: readonly Queued[], wait: boolean, error: SoukError): Promise<void> => {
    if (batch.length === 1 || error.retry.kind !== 'never') {
      for (const item of batch) item.reject(error);
      return;
    }
    const middle = batch.length >> 1;
    await send(batch.slice(0, middle), wait);
    await send(batch.slice(middle), wait);
  };

  /** Callers that go on together append in the same turn of the event loop, some microtasks apart: they share a batch. */
  const gathered = async (): Promise<void> => {
    for (let seen = -1; seen !== queue.length; ) {
      seen = queue.length;
      for (let tick = 0; tick < GATHER_TICKS; tick++) await undefined;
    }
  };

  const pump = async (): Promise<void> => {
    pumps++;
    await gathered();
    while (queue.length > 0) {
      const batch = take();
      // Only what is in flight elsewhere is left.
      if (batch.length === 0) break;
      for (const { stream } of batch) inFlight.add(stream);
      await send(batch, false);
      for (const { stream } of batch) inFlight.delete(stream);
      while (waiting < MAX_WAITING && busy.length > 0) void waitFor(busy.shift() as Queued);
      await gathered();
      if (pumps > 1 && queue.length < OVERLAP_APPENDS) break;
    }
    pumps--;
  };

  /** For a stream that is held by another transaction, as long as it takes. */
  const waitFor = async (first: Queued): Promise<void> => {
    waiting++;
    for (let item: Queued | undefined = first; item !== undefined; item = busy.shift()) {
      if (!isOver(item)) await send([item], true);
    }
    waiting--;
  };

  return {
    append: (ctx, append) => {
      if (queue.length + busy.length >= MAX_QUEUED) {
        return Promise.reject(storeErrors.POOL_EXHAUSTED({ database: db.name }));
      }
      const { promise, resolve, reject } = Promise.withResolvers<AppendResult>();
      queue.push({ ...append, ctx, resolve, reject });
      if (pumps === 0 || (pumps < MAX_IN_FLIGHT && queue.length >= OVERLAP_APPENDS)) void pump();
      const endable = ctx.cancellation !== undefined || ctx.deadlineMs !== Number.POSITIVE_INFINITY;
      // Whoever gives up does not stop a statement that others share.
      return endable ? raceAbort(promise, ctx.signal, () => {}) : promise;
    },
  };
}

/** Whose caller gave up before it was sent is not sent. */
function isOver({ ctx, reject }: Queued): boolean {
  try {
    ctx.throwIfDone();
    return false;
  } catch (error) {
    reject(error);
    return true;
  }
}
