/** Runs at most `concurrent` pieces of work at a time and lets at most `waiting` wait; more are refused with `refuse()`. */
export function createWorkLimit(concurrent: number, waiting: number, refuse: () => Error) {
  let running = 0;
  const queue: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= concurrent) {
      if (queue.length >= waiting) throw refuse();
      await new Promise<void>((resolve) => queue.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      // The place goes to whoever waits, without being free in between.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
