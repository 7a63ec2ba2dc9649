import { setTimeout as sleep } from 'node:timers/promises';
import { fromUnknown } from '@souk/kernel';

/** What became of requests that were sent at a steady rate, whatever became of those before. */
export interface Traffic {
  /** Milliseconds that each good one took. */
  readonly tookMs: number[];
  /** Why others failed, and how many. */
  readonly refused: Map<string, number>;
}

const TICK_MS = 10;

/** Sends `perSecond` for so long and waits for all of them. @throws when the signal aborts */
export async function steadily(
  options: { readonly perSecond: number; readonly forMs: number; readonly signal: AbortSignal },
  send: () => Promise<unknown>,
): Promise<Traffic> {
  const { perSecond, forMs, signal } = options;
  const traffic: Traffic = { tookMs: [], refused: new Map() };
  const one = async (): Promise<void> => {
    const begunMs = performance.now();
    try {
      await send();
      traffic.tookMs.push(performance.now() - begunMs);
    } catch (thrown) {
      const { message } = fromUnknown(thrown);
      traffic.refused.set(message, (traffic.refused.get(message) ?? 0) + 1);
    }
  };
  const sent: Promise<void>[] = [];
  const begunMs = performance.now();
  for (;;) {
    const atMs = performance.now() - begunMs;
    const due = Math.floor((Math.min(atMs, forMs) * perSecond) / 1000);
    while (sent.length < due) sent.push(one());
    if (atMs >= forMs) break;
    await sleep(TICK_MS, undefined, { signal });
  }
  await Promise.all(sent);
  return traffic;
}

export const slowest = ({ tookMs }: Traffic): number => Math.round(Math.max(0, ...tookMs));

export const refusals = ({ refused }: Traffic): number => [...refused.values()].reduce((sum, count) => sum + count, 0);

/** @param share 0.5: the median. 0 when there is none. */
export function percentile({ tookMs }: Traffic, share: number): number {
  const sorted = tookMs.toSorted((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}
