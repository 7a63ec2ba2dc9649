/**
 * Waits for work that does not know signals itself, no longer than until the signal aborts.
 *
 * @param onLate Gets what the work brings after the abort, so that it can be let go: a connection, a lock.
 * @throws the signal's reason when it aborts first; the work's own error otherwise. An error after the abort has nobody to go to
 *   and is dropped: whoever needs it catches it inside the work
 */
export function raceAbort<T>(work: Promise<T>, signal: AbortSignal, onLate: (late: T) => void = () => {}): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let gone = false;
    const onAbort = () => {
      gone = true;
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work
      .then((value) => (gone ? onLate(value) : resolve(value)))
      .catch(reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
