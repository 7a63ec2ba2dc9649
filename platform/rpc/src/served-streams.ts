import type { Runtime, Timer } from '@souk/kernel';
import { createDeadlines } from './deadline.ts';
import { rpcErrors } from './errors.ts';
import type { Router } from './router.ts';
import { ServedStream } from './served-stream.ts';

/** The streams of one router. */
export interface ServedStreams {
  readonly open: Router['open'];
  readonly drain: Router['drain'];
}

const MAX_STREAM_MS = 3_600_000;
const IDLE_MS = 300_000;
const IDLE_CHECK_MS = 1000;

export function createServedStreams(runtime: Runtime, maxStreamMs = MAX_STREAM_MS): ServedStreams {
  const open = new Set<ServedStream>();
  let watch: Timer | undefined;
  let draining = false;

  /** One timer looks after all streams, while there are any. */
  const endIdle = (): void => {
    const nowMs = runtime.clock.monotonicMs();
    for (const stream of open) {
      if (stream.isIdle(nowMs)) stream.stop(rpcErrors.STREAM_IDLE({ ms: stream.idleMs }));
    }
    if (open.size === 0) {
      watch?.cancel();
      watch = undefined;
    }
  };
  const around = {
    runtime,
    deadlines: createDeadlines(runtime),
    maxStreamMs,
    idleMs: IDLE_MS,
    opened: (stream: ServedStream): void => {
      if (draining) throw rpcErrors.DRAINING();
      open.add(stream);
      watch ??= runtime.timers.every(IDLE_CHECK_MS, endIdle);
    },
    closed: (stream: ServedStream): void => void open.delete(stream),
  };
  return {
    open: (method, facts, requests) => new ServedStream(around, method, facts, requests),
    drain: () => {
      draining = true;
      for (const stream of [...open]) stream.stop(rpcErrors.DRAINING());
    },
  };
}
