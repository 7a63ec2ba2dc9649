/** Source of randomness. */
export interface Random {
  /** A number in [0, 1). Not for secrets. */
  next(): number;
  /** Bytes fit for secrets when the source is the system's. */
  bytes(count: number): Uint8Array;
}
