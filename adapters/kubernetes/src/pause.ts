import type { Runtime } from '@souk/kernel';

const FIRST_MS = 100;
const LONGEST_MS = 5000;

/** How long to wait after so many failures in a row: twice as long each time, and never all at the same moment. */
export const pauseMs = (runtime: Runtime, failures: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10)) * (0.25 + 0.75 * runtime.random.next());
