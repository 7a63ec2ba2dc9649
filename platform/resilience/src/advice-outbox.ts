import type { Runtime, Timer } from '@souk/kernel';
import type { AdviceMessage } from './advice-message.ts';
import type { BreakerSharingSettings } from './advice-options.ts';

/*
 * O1 At most `maxQueued` messages wait; a newer one on the same matter takes the place of the older.
 * O2 One message is sent at a time; a channel that throws, rejects or hangs costs that message and nothing else.
 * O3 At most MAX_HANGING sends hang at any time.
 */

/** How instances hear of each other: a bus, a registry. At most once is enough, in any order; never the dependency guarded. */
export interface AdviceChannel {
  publish(advice: AdviceMessage): void | Promise<void>;
  /** @returns Ends it. */
  subscribe(on: (advice: unknown) => void): () => void;
}

export interface AdviceOutboxStats {
  published: number;
  publishFailures: number;
  /** Did not get as far as being sent. */
  dropped: number;
}

export interface AdviceOutbox {
  /** Sends it soon. Never throws. @param matter Newer messages on a matter replace those that wait. */
  put(matter: string, message: AdviceMessage): void;
  clear(): void;
  readonly size: number;
}

const MAX_HANGING = 4;

export function createAdviceOutbox(deps: {
  readonly channel: AdviceChannel;
  readonly settings: BreakerSharingSettings;
  readonly timers: Runtime['timers'];
  readonly stats: AdviceOutboxStats;
}): AdviceOutbox {
  const { channel, settings, timers, stats } = deps;
  const waiting = new Map<string, AdviceMessage>();
  let isSending = false;
  let hanging = 0;

  const send = async (message: AdviceMessage): Promise<void> => {
    let timer: Timer | undefined;
    hanging++;
    const sent = (async () => channel.publish(message))().then(
      () => {
        stats.published++;
      },
      () => {
        stats.publishFailures++;
      },
    );
    const settled = sent.then(() => {
      hanging--;
    });
    const patience = new Promise<void>((resolve) => {
      timer = timers.after(settings.publishTimeoutMs, resolve);
    });
    await Promise.race([settled, patience]);
    timer?.cancel();
  };

  const pump = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    for (const [matter, message] of waiting) {
      if (hanging >= MAX_HANGING) break;
      waiting.delete(matter);
      await send(message);
    }
    isSending = false;
  };

  return {
    get size() {
      return waiting.size;
    },
    put: (matter, message) => {
      waiting.delete(matter);
      if (waiting.size >= settings.maxQueued) {
        for (const oldest of waiting.keys()) {
          waiting.delete(oldest);
          stats.dropped++;
          break;
        }
      }
      waiting.set(matter, message);
      void pump();
    },
    clear: () => waiting.clear(),
  };
}
