import type { Runtime } from '@souk/kernel';
import { sagaErrors } from './errors.ts';
import type { SagaEngineSettings } from './options.ts';
import type { Place, SagaStorage } from './storage.ts';
import { createWriter, type Writer } from './writer.ts';

/**
 * The time in which this process may own sagas: a row in the database, a heartbeat, and a writer whose every batch is fenced by it.
 *
 *   live --the database says no--> lost      live --no heartbeat for selfFenceMs by the monotonic clock--> lost
 *
 * Lost is final: the engine registers again, under a new id.
 */
export interface WorkerLease {
  readonly lease: { readonly workerId: string; readonly epoch: number };
  readonly writer: Writer;
  /** Aborts once the lease is lost or closed. */
  readonly over: AbortSignal;
  close(): void;
}

/** @param onLost Called once; not on `close`. */
export async function acquireLease(options: {
  readonly storage: SagaStorage;
  readonly runtime: Runtime;
  readonly place: Place;
  /** The `name@version` of the sagas it can run. */
  readonly kinds: readonly string[];
  readonly settings: SagaEngineSettings;
  readonly onLost: () => void;
}): Promise<WorkerLease> {
  const { storage, runtime, settings, onLost } = options;
  const { timers } = runtime;
  // A fresh id each time: nothing of a predecessor can be mistaken for ours.
  const lease = { workerId: runtime.ids.uuid(), epoch: 1 };
  const over = new AbortController();

  const sentMs = runtime.clock.monotonicMs();
  await storage.register(lease, options.place, settings.leaseMs, options.kinds);

  const end = (): void => {
    if (over.signal.aborted) return;
    heartbeat.cancel();
    fence.cancel();
    over.abort(sagaErrors.OWNERSHIP_LOST());
    writer.close();
  };
  const lose = (): void => {
    if (over.signal.aborted) return;
    end();
    onLost();
  };
  // Counted from when the heartbeat was sent: the database counted from some time after that.
  const fenceAfter = (sinceMs: number) =>
    timers.after(Math.max(0, sinceMs + settings.selfFenceMs - runtime.clock.monotonicMs()), lose);
  const writer = createWriter({ storage, lease, runtime, leaseMs: settings.leaseMs, onFenced: lose });
  const beat = (): void => {
    const beatSentMs = runtime.clock.monotonicMs();
    writer.beat().then(
      () => {
        if (over.signal.aborted) return;
        fence.cancel();
        fence = fenceAfter(beatSentMs);
      },
      // The writer says why through onFenced, or the fence falls.
      () => {},
    );
  };
  let fence = fenceAfter(sentMs);
  const heartbeat = timers.every(settings.heartbeatMs, beat);
  return { lease, writer, over: over.signal, close: end };
}
