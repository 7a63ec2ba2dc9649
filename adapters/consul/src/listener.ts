import type { Instance } from '@souk/discovery';
import { fromUnknown } from '@souk/kernel';
import type { ConsulApi } from './api.ts';
import type { Link } from './link.ts';
import type { ConsulSettings } from './options.ts';
import { pauseMs } from './pause.ts';

export interface ListenerInit {
  readonly api: ConsulApi;
  readonly link: Link;
  readonly settings: ConsulSettings;
  tell(service: string, instances: readonly Instance[]): void;
}

/** Shortest pause between two questions: a service that changes all the time is told of 50 times a second. */
const PAUSE_MS = 20;
/** Pause where the registry cannot hold questions, or answers at once though nothing has changed. */
const POLL_MS = 1000;
const LONGEST_PAUSE_MS = 3000;

/**
 * Asks for a service again and again, each time for what comes after the last answer, until the signal aborts. Never ends by itself, and
 * never asks without a pause. After any trouble it asks for all there is: an index from before may be one that the registry never reaches.
 */
export async function listen(init: ListenerInit, service: string, signal: AbortSignal): Promise<void> {
  const { api, link, settings, tell } = init;
  const { clock, timers, random } = settings.runtime;
  const { datacenter, waitMs, requestMs } = settings;
  const who = {};
  let [index, failures, idle] = [0, 0, 0];
  const pause = (ms: number) => timers.sleep(ms, signal).catch(() => {});

  while (!signal.aborted) {
    const sinceMs = clock.monotonicMs();
    try {
      const answer = await api.instances({ service, datacenter, index, waitMs, requestMs, signal });
      if (signal.aborted) break;
      failures = 0;
      if (answer.index < index) link.renewed();
      link.well(who);
      tell(service, answer.instances);
      const isIdle = index > 0 && answer.index <= index && clock.monotonicMs() - sinceMs < waitMs / 2;
      idle = isIdle ? idle + 1 : 0;
      // One that goes back has been reset: what it says next is asked for from the beginning.
      const next = answer.index < index ? 0 : answer.index;
      index = next;
      await pause(next === 0 || idle > 1 ? POLL_MS * (0.5 + random.next()) : PAUSE_MS);
    } catch (thrown) {
      if (signal.aborted) break;
      index = 0;
      const error = fromUnknown(thrown);
      link.failed(who, error.message);
      await pause(pauseMs(failures++, LONGEST_PAUSE_MS, random, error));
    }
  }
  link.left(who);
}
