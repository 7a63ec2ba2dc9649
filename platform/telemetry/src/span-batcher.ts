import { createBoundedQueue, fromUnknown, type Logger, type Runtime, raceAbort, type Timer } from '@souk/kernel';
import type { SpanExporter, SpanRecord, SpanSink } from './span-record.ts';

export interface SpanBatcherOptions {
  readonly runtime: Runtime;
  readonly log: Logger;
  /** Asked for when the first batch leaves, so that its code is loaded only where it is used. */
  readonly exporter: () => Promise<SpanExporter>;
  /** Told of spans that will not arrive. */
  readonly onDropped?: (count: number, reason: DropReason) => void;
  /** Most spans that wait, apart from the batch on its way. Spans beyond are dropped, the newest first. @default 4096 */
  readonly capacity?: number;
  /** Most spans in a batch. @default 512 */
  readonly batchSize?: number;
  /** Longest wait before a batch leaves, in milliseconds. @default 1000 */
  readonly intervalMs?: number;
}

export type DropReason = 'queue_full' | 'export_failed' | 'closed';

export interface SpanBatcher extends SpanSink {
  /** Sends everything that is there. Never throws; after `withinMs` what is left is dropped and counted. */
  close(withinMs: number): Promise<void>;
}

/** Stands between spans that end and an exporter that may be slow or dead: whoever ends a span never waits. */
export function createSpanBatcher(options: SpanBatcherOptions): SpanBatcher {
  const { runtime, log, capacity = 4096, batchSize = 512, intervalMs = 1000, onDropped = () => {} } = options;
  const queue = createBoundedQueue<SpanRecord>('the queue of spans', capacity);
  const giveUp = new AbortController();
  let exporter: Promise<SpanExporter> | undefined;
  let timer: Timer | undefined;
  let sending: Promise<void> | undefined;
  let closed = false;
  let failing = false;

  const exportBatch = async (batch: readonly SpanRecord[]): Promise<void> => {
    try {
      exporter ??= options.exporter();
      const exporting = (await exporter).export(batch, giveUp.signal);
      // Also an exporter that does not heed the signal keeps nobody from closing.
      await raceAbort(exporting, giveUp.signal);
      if (failing) log.info('spans are exported again');
      failing = false;
    } catch (thrown) {
      onDropped(batch.length, 'export_failed');
      // One line until it works again: a dead collector must not flood the log.
      if (!failing) log.warn('spans cannot be exported', { err: fromUnknown(thrown) });
      failing = true;
    }
  };

  const sendAll = async (): Promise<void> => {
    while (queue.size > 0 && !giveUp.signal.aborted) await exportBatch(queue.drain(batchSize));
  };

  const send = (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    sending ??= sendAll().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  return {
    take: (span) => {
      if (closed || queue.size >= capacity) {
        onDropped(1, closed ? 'closed' : 'queue_full');
        return;
      }
      queue.push(span);
      if (sending !== undefined) return;
      if (queue.size >= batchSize) void send();
      else timer ??= runtime.timers.after(intervalMs, () => void send());
    },
    close: async (withinMs) => {
      closed = true;
      const limit = runtime.timers.after(withinMs, () => giveUp.abort());
      await send();
      // A batch that was on its way when the close came may have left some behind.
      await send();
      limit.cancel();
      const left = queue.drain(capacity).length;
      if (left > 0) onDropped(left, 'closed');
    },
  };
}
