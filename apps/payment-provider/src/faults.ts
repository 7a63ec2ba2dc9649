/** What goes wrong on purpose. Change the fields at any time; a request is hit by what they say when it arrives. */
export interface Faults {
  /** Every connection is reset before anything is done. */
  down: boolean;
  /** Milliseconds that every request waits before it is worked on. */
  delayMs: number;
  /** So many of the next changes are done and their replies lost. */
  loseReplies: number;
  /** So many of the next requests are refused with 503, nothing being done. */
  unavailable: number;
  /** Events stay in the queue. */
  holdWebhooks: boolean;
  /** Every event is sent twice. */
  doubleWebhooks: boolean;
}

export const noFaults = (): Faults => ({
  down: false,
  delayMs: 0,
  loseReplies: 0,
  unavailable: 0,
  holdWebhooks: false,
  doubleWebhooks: false,
});
