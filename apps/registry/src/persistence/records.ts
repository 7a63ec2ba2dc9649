import { crc32 } from 'node:zlib';
import type { LogEntry } from '../state/group-commit.ts';

/** What one change logged. */
export interface LogRecord {
  readonly rev: number;
  readonly entries: readonly LogEntry[];
}

/** A line: a checksum of eight hexadecimal digits, a space, JSON. */
export function encodeRecord(record: LogRecord): string {
  const json = JSON.stringify([record.rev, record.entries]);
  return `${checksum(json)} ${json}\n`;
}

export interface DecodedLog {
  readonly records: readonly LogRecord[];
  /** Bytes that are good, from the start. */
  readonly goodBytes: number;
  /**
   * `whole`. `torn`: the last line is not complete, as after a crash in the middle of a write that nobody was told of. `broken`: there is
   * something behind what cannot be read, so more than that is lost.
   */
  readonly state: 'whole' | 'torn' | 'broken';
}

/** Reads as far as all is well. */
export function decodeLog(bytes: Buffer): DecodedLog {
  const records: LogRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(10, at);
    const record = end === -1 ? undefined : decodeLine(bytes.toString('utf8', at, end));
    if (record === undefined) return { records, goodBytes: at, state: hasMore(bytes, end) ? 'broken' : 'torn' };
    records.push(record);
    at = end + 1;
  }
  return { records, goodBytes: at, state: 'whole' };
}

/** Whether any line after this one can be read. */
function hasMore(bytes: Buffer, end: number): boolean {
  let at = end + 1;
  while (at > 0 && at < bytes.length) {
    const next = bytes.indexOf(10, at);
    if (next === -1) return false;
    if (decodeLine(bytes.toString('utf8', at, next)) !== undefined) return true;
    at = next + 1;
  }
  return false;
}

function decodeLine(line: string): LogRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== ' ' || checksum(json) !== line.slice(0, 8)) return undefined;
  const [rev, entries] = JSON.parse(json) as [number, LogEntry[]];
  return { rev, entries };
}

export const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');
