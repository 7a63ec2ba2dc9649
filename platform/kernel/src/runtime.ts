import { createIds, type Ids } from './ids.ts';
import type { Random } from './random.ts';
import { systemRandom } from './system-random.ts';
import { systemClock, systemTimers } from './system-time.ts';
import type { Clock, Timers } from './time.ts';

/** Everything that is not deterministic and not I/O. Passed to whoever needs it, so that a test can own it. */
export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly ids: Ids;
}

/** The real one. */
export function systemRuntime(): Runtime {
  const clock = systemClock();
  const random = systemRandom();
  return { clock, timers: systemTimers(), random, ids: createIds(clock, random) };
}
