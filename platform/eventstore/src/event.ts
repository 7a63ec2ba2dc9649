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
}

/** An event to be appended. */
export interface NewEvent {
  readonly type: string;
  /** What JSON can hold. A text with U+0000 is refused by the database. */
  readonly data: unknown;
  /** Version of the shape of `data`, from 1. @default 1 */
  readonly schemaVersion?: number;
  /** A UUID. The same id cannot be appended twice. @default a new UUIDv7 */
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
