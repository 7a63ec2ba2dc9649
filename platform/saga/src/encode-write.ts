import type { EncodedWrite, LoneStart, SagaWrite } from './storage.ts';

const list = <T>(items: readonly T[]): readonly T[] | undefined => (items.length === 0 ? undefined : items);

/** What all changes have, apart from what few have, so that the usual change is as short as it can be. */
export function encodeWrite(source: SagaWrite | LoneStart): EncodedWrite {
  if ('start' in source) {
    const start = JSON.stringify(source.start);
    return { source, chars: start.length, start, head: '', records: '', extra: '' };
  }
  const { id, epoch, base, status, direction, wake, step, errorCode, errorReason, records, progress } = source;
  const rests = status !== 'RUNNING';
  const head = JSON.stringify({
    id,
    epoch,
    base,
    many: records.length,
    progress,
    status,
    direction,
    ...(rests && { wake, step, errorCode, errorReason }),
  });
  const rows = records.map((row) => JSON.stringify({ id, epoch, ...row })).join();
  const consumed = list(source.consumed);
  const starts = list(source.starts);
  const sends = list(source.sends);
  const stuck = status === 'STUCK' || undefined;
  const extra = consumed || starts || sends || stuck ? JSON.stringify({ id, stuck, consumed, starts, sends }) : '';
  return { source, chars: head.length + rows.length + extra.length, start: '', head, records: rows, extra };
}

/** A JSON list of what is there; null when nothing is. */
export function jsonList(parts: readonly string[]): string | null {
  const some = parts.filter((part) => part !== '');
  return some.length === 0 ? null : `[${some.join()}]`;
}
