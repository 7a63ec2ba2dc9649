import type { EventMetadata, RecordedEvent } from './event.ts';

/** Columns of an event, as {@link toRecordedEvent} wants them. */
export const EVENT_COLUMNS = `e.stream, e.version, e.event_id, e.type, e.schema_version, e.data, e.metadata, e.at,
    e.epoch, e.xid::text AS xid, e.position`;

export interface EventRow {
  readonly stream: string;
  readonly version: bigint;
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: unknown;
  readonly metadata: EventMetadata;
  readonly at: Date;
  readonly epoch: number;
  readonly xid: string;
  readonly position: bigint;
}

export const toRecordedEvent = (row: EventRow): RecordedEvent => ({
  stream: row.stream,
  version: Number(row.version),
  id: row.event_id,
  type: row.type,
  schemaVersion: row.schema_version,
  data: row.data,
  metadata: row.metadata,
  at: row.at,
  position: { epoch: row.epoch, xid: BigInt(row.xid), position: row.position },
});
