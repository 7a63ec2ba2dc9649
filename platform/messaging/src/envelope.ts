/** A CloudEvents 1.0 event. `source` and `id` together tell duplicates. */
export interface Envelope {
  /** UUIDv7. */
  readonly id: string;
  /** `/souk/<service>`. */
  readonly source: string;
  /** `souk.orders.order-placed.v1`. */
  readonly type: string;
  /** Full name of the protobuf message. */
  readonly schema: string;
  /** Events of one key are delivered in the order they were published. */
  readonly key: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  /** W3C trace context of the publisher. */
  readonly traceparent: string;
  /** Id of the message or saga that led to this event. */
  readonly causationId: string | undefined;
  /**
   * Attributes that this version does not know, by their CloudEvents names (`a-z0-9`, at most 20 characters). They are carried
   * along everywhere and read nowhere.
   */
  readonly extensions?: Readonly<Record<string, string>>;
  /** Protobuf, binary. */
  readonly data: Uint8Array;
}
