/** A row of the outbox, as it is read. */
export interface OutboxRow {
  readonly pos: bigint;
  readonly slot: number;
  readonly id: string;
  readonly type: string;
  readonly schema: string;
  readonly key: string;
  readonly time: Date;
  readonly traceparent: string;
  readonly causation_id: string | null;
  readonly data: Uint8Array;
  /** How often a relay died that may have sent it. */
  readonly sends: number;
}

/** Events of one key that were handed to the bus in one call. */
export interface InFlight {
  readonly key: string;
  readonly slot: number;
  /** Of the slot, when they were sent: what the bus says of them later counts only while it is the same. */
  readonly epoch: bigint;
  readonly positions: readonly bigint[];
}

/** What a relay has in its hands: sent and not removed yet. No I/O. */
export class Outgoing {
  readonly #epochOf: (slot: number) => bigint | undefined;
  /** Slot by position: handed to the bus, acknowledged and not removed, or refused and not looked at yet. */
  readonly #slotOf = new Map<bigint, number>();
  readonly #busy = new Map<string, { readonly slot: number; calls: number }>();
  #done: bigint[] = [];
  #refused: InFlight[] = [];

  /** @param epochOf The epoch under which we have a slot, if we have it. */
  constructor(epochOf: (slot: number) => bigint | undefined) {
    this.#epochOf = epochOf;
  }

  get size(): number {
    return this.#slotOf.size;
  }

  get doneCount(): number {
    return this.#done.length;
  }

  get hasRefused(): boolean {
    return this.#refused.length > 0;
  }

  /** The bus has answered to everything. */
  get isQuiet(): boolean {
    return this.#busy.size === 0;
  }

  /** What must not be read again. */
  positions(): readonly bigint[] {
    return [...this.#slotOf.keys()];
  }

  isBusy(key: string): boolean {
    return this.#busy.has(key);
  }

  isRefused(key: string): boolean {
    return this.#refused.some((batch) => batch.key === key);
  }

  hasAny(slot: number): boolean {
    for (const one of this.#slotOf.values()) if (one === slot) return true;
    for (const one of this.#busy.values()) if (one.slot === slot) return true;
    return false;
  }

  sent({ key, slot, positions }: InFlight): void {
    for (const pos of positions) this.#slotOf.set(pos, slot);
    const busy = this.#busy.get(key);
    if (busy === undefined) this.#busy.set(key, { slot, calls: 1 });
    else busy.calls++;
  }

  /** @returns false, and nothing is noted, when the slot is not ours any more */
  acknowledged(batch: InFlight): boolean {
    if (!this.#end(batch)) return false;
    this.#done.push(...batch.positions);
    return true;
  }

  /** @returns false, and nothing is noted, when the slot is not ours any more */
  refused(batch: InFlight): boolean {
    if (!this.#end(batch)) return false;
    this.#refused.push(batch);
    return true;
  }

  /** Lets what was refused be read again. */
  takeBackRefused(): void {
    for (const { positions } of this.#refused) for (const pos of positions) this.#slotOf.delete(pos);
    this.#refused = [];
  }

  takeDone(): readonly bigint[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  putBackDone(positions: readonly bigint[]): void {
    this.#done.push(...positions.filter((pos) => this.#slotOf.has(pos)));
  }

  removed(positions: readonly bigint[]): void {
    for (const pos of positions) this.#slotOf.delete(pos);
  }

  /** The slot is somebody else's: so is what becomes of its events. */
  forget(slot: number): void {
    for (const [pos, one] of this.#slotOf) if (one === slot) this.#slotOf.delete(pos);
    for (const [key, one] of this.#busy) if (one.slot === slot) this.#busy.delete(key);
    this.#done = this.#done.filter((pos) => this.#slotOf.has(pos));
    this.#refused = this.#refused.filter((batch) => batch.slot !== slot);
  }

  #end({ key, slot, epoch }: InFlight): boolean {
    if (this.#epochOf(slot) !== epoch) return false;
    const busy = this.#busy.get(key);
    if (busy !== undefined && --busy.calls === 0) this.#busy.delete(key);
    return true;
  }
}
