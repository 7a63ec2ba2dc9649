import type { Position } from './position.ts';

/** Why an event came to be. No personal data: metadata is shown to operators. */
export interface EventMetadata {
  /** Who caused it: a user's id, or a service. */
  readonly actor?: string;
  /** Id of the message or event that led to it. */
  readonly causation?: string;
  /** What all events of one business process have in common. */
  readonly correlation?: string;
  /** W3C trace context. Taken from the transaction's context when left out. */
  readonly traceparent?: string;
  /** Whose data it is, where several customers share a store. */
  readonly tenant?: string;
  /** The service that appended it. Taken from the store when left out. */
  readonly service?: string;
  /** Fields of the data that are encrypted. Set by the store. */
  readonly personal?: readonly string[];
}

/** An event to be appended. */
export interface NewEvent {
  readonly type: string;
  /** What JSON can hold. A text with U+0000 is refused by the database. */
  readonly data: unknown;
  /** Version of the shape of `data`, from 1 to 32767. @default the newest that the store's upcasters know, or 1 */
  readonly schemaVersion?: number;
  /** A UUID. An append that is repeated with the same ids is done once. @default a new UUIDv7 */
  readonly id?: string;
}

/** An event as it is kept; never changed. */
export interface StoredEvent {
  readonly stream: string;
  /** 1 for the first of its stream, without gaps. */
  readonly version: number;
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: unknown;
  readonly metadata: EventMetadata;
  readonly at: Date;
}

/** An event with its place among all events of the store. */
export interface RecordedEvent extends StoredEvent {
  readonly position: Position;
}
