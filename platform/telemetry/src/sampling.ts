/**
 * Keeps this part of all traces, decided by the trace's id alone: every process with the same ratio decides alike.
 *
 * @param ratio 0 keeps none, 1 all.
 */
export function ratioSampler(ratio: number): (traceId: string) => boolean {
  if (ratio >= 1) return () => true;
  if (!(ratio > 0)) return () => false;
  // The last 56 bits are the random ones (W3C Trace Context level 2); 52 of them fit a number exactly.
  const threshold = ratio * 2 ** 52;
  return (traceId) => Number.parseInt(traceId.slice(-13), 16) < threshold;
}
