import type { Envelope } from '@souk/messaging';

/** An event of the queue that this process has read. */
export interface Entry {
  readonly pos: bigint;
  readonly slot: number;
  /** Of the slot, when it was read. */
  readonly epoch: bigint;
  /** Entries of a lane are handled one after another. */
  readonly lane: string;
  readonly envelope: Envelope;
  /** How often it has been delivered, the one under way included. */
  deliveries: number;
}

type State = 'waiting' | 'running' | 'handled';

interface Held {
  readonly entry: Entry;
  state: State;
}

/**
 * What one subscription has read and not removed yet. No I/O.
 *
 * I1 of a lane at most the first entry runs, also when its slot was lost meanwhile.
 * I2 entries of a lane are in the order of their positions.
 */
export class Hand {
  readonly #slots = new Map<number, Map<bigint, Held>>();
  readonly #lanes = new Map<string, Held[]>();
  /** First of their lanes that could run now. */
  readonly #ready: Held[] = [];
  #open = 0;
  #openBytes = 0;

  /** Entries that wait or run; those that are only to be removed do not count. */
  get open(): number {
    return this.#open;
  }

  /** Of the data of those that are open. */
  get openBytes(): number {
    return this.#openBytes;
  }

  countOf(slot: number): number {
    return this.#slots.get(slot)?.size ?? 0;
  }

  positionsOf(slot: number): readonly bigint[] {
    return [...(this.#slots.get(slot)?.keys() ?? [])];
  }

  add(entry: Entry): void {
    const slot = this.#slots.get(entry.slot) ?? new Map<bigint, Held>();
    if (slot.has(entry.pos)) return;
    const held: Held = { entry, state: 'waiting' };
    this.#slots.set(entry.slot, slot.set(entry.pos, held));
    this.#count(entry, 1);
    const lane = this.#lanes.get(entry.lane);
    if (lane !== undefined) lane.push(held);
    else {
      this.#lanes.set(entry.lane, [held]);
      this.#ready.push(held);
    }
  }

  /** The next entry that may run, and does from now on. */
  next(): Entry | undefined {
    const held = this.#ready.shift();
    if (held === undefined) return undefined;
    held.state = 'running';
    return held.entry;
  }

  /** @returns false when the entry is nobody's business any more, because its slot was lost */
  handled(entry: Entry): boolean {
    const held = this.#leaveLane(entry);
    if (held === undefined) return false;
    held.state = 'handled';
    this.#count(entry, -1);
    return true;
  }

  /** @returns whether it is still here to be tried again: `retry` it later */
  failed(entry: Entry): boolean {
    const held = this.#find(entry);
    if (held === undefined) this.#leaveLane(entry);
    else held.state = 'waiting';
    return held !== undefined;
  }

  retry(entry: Entry): void {
    const held = this.#find(entry);
    if (held?.state === 'waiting' && !this.#ready.includes(held)) this.#ready.push(held);
  }

  /** It is gone from the queue. */
  removed({ slot, pos }: Entry): void {
    this.#delete(slot, pos);
  }

  /** Forgets what waits, so that another process can have the slot when the rest has come to its end. */
  dropWaiting(slot: number): void {
    this.#drop(slot, ({ state }) => state === 'waiting');
  }

  /** Somebody else has the slot: what runs is left alone, and nobody hears of its end. */
  dropAll(slot: number): void {
    this.#drop(slot, () => true);
  }

  #count({ envelope }: Entry, by: 1 | -1): void {
    this.#open += by;
    this.#openBytes += by * envelope.data.length;
  }

  #drop(slot: number, which: (held: Held) => boolean): void {
    for (const held of this.#slots.get(slot)?.values() ?? []) {
      if (!which(held)) continue;
      if (held.state !== 'handled') this.#count(held.entry, -1);
      this.#delete(slot, held.entry.pos);
      // One that runs stays at the head of its lane: whatever comes for it again comes after it.
      if (held.state === 'waiting') this.#removeFromLane(held);
    }
  }

  #removeFromLane(held: Held): void {
    const { lane } = held.entry;
    const before = this.#lanes.get(lane) ?? [];
    const rest = before.filter((one) => one !== held);
    const [next] = rest;
    if (next === undefined) this.#lanes.delete(lane);
    else this.#lanes.set(lane, rest);
    const at = this.#ready.indexOf(held);
    if (at >= 0) this.#ready.splice(at, 1);
    if (next !== undefined && before[0] === held) this.#ready.push(next);
  }

  #delete(slot: number, pos: bigint): void {
    const entries = this.#slots.get(slot);
    entries?.delete(pos);
    if (entries?.size === 0) this.#slots.delete(slot);
  }

  /** @returns it, when it is still ours */
  #leaveLane(entry: Entry): Held | undefined {
    const lane = this.#lanes.get(entry.lane) ?? [];
    lane.shift();
    const [next] = lane;
    if (next === undefined) this.#lanes.delete(entry.lane);
    else this.#ready.push(next);
    return this.#find(entry);
  }

  /** The very same entry: another one of its position was read under another epoch. */
  #find(entry: Entry): Held | undefined {
    const held = this.#slots.get(entry.slot)?.get(entry.pos);
    return held?.entry === entry ? held : undefined;
  }
}
