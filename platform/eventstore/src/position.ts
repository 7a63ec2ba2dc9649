import { eventStoreErrors } from './errors.ts';

/**
 * A place in the order of all events of a store: first by epoch, then by transaction, then by number. The number alone is no order: it is
 * given before the commit.
 */
export interface Position {
  /** Goes up when a database was restored or upgraded and counts transactions anew. From 1; 0 in {@link START}. */
  readonly epoch: number;
  /** The transaction that appended. */
  readonly xid: bigint;
  /** Unique in the store, rising within a transaction, with gaps. */
  readonly position: bigint;
}

/** Before all events. */
export const START: Position = Object.freeze({ epoch: 0, xid: 0n, position: 0n });

/** @returns below 0 when `left` comes first, 0 for the same place, above 0 otherwise */
export function comparePositions(left: Position, right: Position): number {
  if (left.epoch !== right.epoch) return left.epoch - right.epoch;
  if (left.xid !== right.xid) return left.xid < right.xid ? -1 : 1;
  if (left.position !== right.position) return left.position < right.position ? -1 : 1;
  return 0;
}

/** As a text for cursors, tokens and headers; what is in it is nobody's business. Texts do not sort as positions do. */
export const encodePosition = ({ epoch, xid, position }: Position): string =>
  `p${epoch.toString(36)}.${xid.toString(36)}.${position.toString(36)}`;

const TOKEN = /^p([0-9a-z]{1,6})\.([0-9a-z]{1,13})\.([0-9a-z]{1,13})$/;
const MAX_EPOCH = 0x7fffffff;
const MAX_XID = 0xffffffffffffffffn;
const MAX_NUMBER = 0x7fffffffffffffffn;

/** @throws EVENTSTORE_POSITION_INVALID when the text was not made by {@link encodePosition} */
export function decodePosition(token: string): Position {
  const [, epoch, xid, position] = TOKEN.exec(token) ?? [];
  if (epoch !== undefined && xid !== undefined && position !== undefined) {
    const decoded = { epoch: Number.parseInt(epoch, 36), xid: base36(xid), position: base36(position) };
    const fits = decoded.epoch <= MAX_EPOCH && decoded.xid <= MAX_XID && decoded.position <= MAX_NUMBER;
    if (fits && encodePosition(decoded) === token) return decoded;
  }
  throw eventStoreErrors.POSITION_INVALID();
}

function base36(text: string): bigint {
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value;
}
