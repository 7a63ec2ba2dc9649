import { type Context, fromUnknown, type Logger } from '@souk/kernel';
import type { ActiveSubscription, BusSubscription, Envelope } from '@souk/messaging';
import type { Acknowledger } from './acknowledger.ts';
import { type Bell, createBell } from './bell.ts';
import { type Entry, Hand } from './hand.ts';
import type { PostgresBusSettings } from './options.ts';

const CLAIM = `
  /* bus-claim */
  SELECT slot::int AS slot, pos, deliveries::int AS deliveries, id, source, type, schema, key, time, traceparent, causation_id, extensions, data
  FROM souk.bus_claim($1, $2, $3, $4, $5, $6)`;

/** Rows of one slot that a process has in its hand at most; so many count as delivered when it dies. */
export const IN_HAND = 64;

/** Bytes of events that a subscription reads ahead; the last one may go beyond. */
const MOST_BYTES = 2 * 1024 * 1024;
const DEFAULT_CONCURRENCY = 32;
const FIRST_REDELIVERY_MS = 50;
const LONGEST_REDELIVERY_MS = 5000;
/** Between two looks when nobody rings, at first; doubled up to the last, after which the membership looks for us. */
const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 800;
const REST_MS = 60_000;
/** An event that only another process of the group hears waits so long for a slot to go there, and so often. */
const FOREIGN_MS = 1000;
const FOREIGN_TRIES = 20;

/** Our place in a group. Another one after each time we were taken for dead. */
export interface Seat {
  readonly group: number;
  readonly member: string;
}

export interface SubscriberInit {
  readonly subscription: BusSubscription;
  readonly settings: PostgresBusSettings;
  readonly context: () => Context;
  readonly acknowledger: Acknowledger;
  /** False some time before anybody else can have our slots. */
  readonly isValid: () => boolean;
  /** There is something for the membership to do. */
  readonly onChange: () => void;
  readonly onTrouble: (error: unknown) => void;
  /** Gives back all slots. Never rejects. */
  readonly leave: (subscriber: Subscriber) => Promise<void>;
}

interface Row {
  readonly slot: number;
  readonly pos: bigint;
  readonly deliveries: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly schema: string;
  readonly key: string;
  readonly time: string;
  readonly traceparent: string;
  readonly causation_id: string | null;
  readonly extensions: Record<string, string> | null;
  readonly data: Uint8Array;
}

/**
 * One subscription: reads the slots that its process has, and handles what is in them.
 *
 * I1 nothing is begun of a slot that is not ours, or might not be any more.
 * I2 an event is acknowledged after its handler resolved, under the epoch it was read with.
 * I3 no position is remembered as read up to: transactions that commit late are seen when they appear.
 */
export class Subscriber implements ActiveSubscription {
  readonly subscription: BusSubscription;
  /** Epochs of the slots we have, those that we are about to give back included. */
  readonly held = new Map<number, bigint>();
  /** Slots that others are to have as soon as nothing of them is in hand. */
  readonly leaving = new Set<number>();
  /** Types that some living process of the group hears. */
  groupTypes: ReadonlySet<string> = new Set();
  seat: Seat | undefined;
  /** The same for each attempt to sit down, so that one whose answer was lost leaves nobody behind. */
  nextMember: string;
  /** Others of the group know of us as active. */
  isActiveThere = true;
  /** The bus knows that there is such a group. */
  isKnown = false;

  readonly #init: SubscriberInit;
  readonly #log: Logger;
  readonly #types: ReadonlyMap<string, boolean>;
  readonly #concurrency: number;
  readonly #hand = new Hand();
  readonly #bell: Bell;
  readonly #idle = Promise.withResolvers<void>();
  #running = 0;
  #paused = false;
  #closing: Promise<void> | undefined;
  #mustRead = false;
  /** The last read left something behind. */
  #more = false;
  #readMs = Number.NEGATIVE_INFINITY;
  #pollMs = FIRST_POLL_MS;
  #firstSlot = 0;

  constructor(init: SubscriberInit) {
    const { subscription, settings } = init;
    this.#init = init;
    this.subscription = subscription;
    this.#log = settings.log.with({ consumer: subscription.name });
    this.#types = new Map(subscription.types.map(({ type, ordered }) => [type, ordered]));
    this.#concurrency = subscription.concurrency ?? DEFAULT_CONCURRENCY;
    this.nextMember = settings.runtime.ids.uuid();
    this.#bell = createBell(settings.runtime.timers);
    void this.#readLoop();
  }

  get isActive(): boolean {
    return !this.#paused && this.#closing === undefined;
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    for (const slot of this.held.keys()) this.#hand.dropWaiting(slot);
    this.#init.onChange();
  }

  resume(): void {
    if (!this.#paused || this.isClosing) return;
    this.#paused = false;
    this.wake();
    this.#init.onChange();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** There is something new in our slots. */
  wake(): void {
    this.#pollMs = FIRST_POLL_MS;
    this.look();
  }

  /** There may be something in our slots. */
  look(): void {
    this.#mustRead = true;
    this.#bell.ring();
  }

  sitDown(seat: Seat): void {
    this.seat = seat;
    this.isKnown = true;
  }

  /** Others have taken us for dead. */
  standUp(): void {
    this.lose([...this.held.keys()]);
    this.seat = undefined;
    this.nextMember = this.#init.settings.runtime.ids.uuid();
  }

  gain(slots: ReadonlyMap<number, bigint>): void {
    for (const [slot, epoch] of slots) this.held.set(slot, epoch);
    this.wake();
  }

  /** Somebody else has these slots. */
  lose(slots: readonly number[]): void {
    for (const slot of slots) {
      this.held.delete(slot);
      this.leaving.delete(slot);
      this.#hand.dropAll(slot);
    }
  }

  giveUp(slots: readonly number[]): void {
    for (const slot of slots) {
      this.leaving.add(slot);
      this.#hand.dropWaiting(slot);
    }
  }

  /** What was to be given back is kept after all. */
  keep(slots: readonly number[]): void {
    for (const slot of slots) this.leaving.delete(slot);
    if (slots.length > 0) this.wake();
  }

  isIdle(slot: number): boolean {
    return this.#hand.countOf(slot) === 0;
  }

  /** Something may be begun that could not before. */
  pump(): void {
    while (this.isActive && this.#running < this.#concurrency && this.#init.isValid()) {
      const entry = this.#hand.next();
      if (entry === undefined) break;
      this.#running++;
      void this.#handle(entry);
    }
    const isFull = this.#hand.open > this.#prefetch / 2 || this.#hand.openBytes > MOST_BYTES / 2;
    if (!this.#more || isFull) return;
    this.look();
  }

  get #prefetch(): number {
    return 4 * this.#concurrency;
  }

  async #close(): Promise<void> {
    for (const slot of this.held.keys()) this.#hand.dropWaiting(slot);
    this.#bell.ring();
    if (this.#running === 0) this.#idle.resolve();
    await this.#idle.promise;
    await this.#init.acknowledger.flush();
    await this.#init.leave(this);
  }

  async #readLoop(): Promise<void> {
    const { runtime, coalesceMs } = this.#init.settings;
    while (!this.isClosing) {
      if (this.#mustRead && this.isActive && this.#init.isValid()) {
        const waitMs = this.#readMs + coalesceMs - runtime.clock.monotonicMs();
        if (waitMs > 0 && !this.#more) await runtime.timers.sleep(waitMs);
        await this.#read();
      }
      const polls = !this.#mustRead && this.#pollMs <= LAST_POLL_MS && this.isActive && this.held.size > 0;
      await this.#bell.rest(polls ? this.#pollMs : REST_MS);
      if (polls && !this.#mustRead) {
        this.#mustRead = true;
        this.#pollMs *= 2;
      }
    }
  }

  async #read(): Promise<void> {
    const { settings, context } = this.#init;
    const { seat } = this;
    const room = this.#prefetch - this.#hand.open;
    const roomBytes = MOST_BYTES - this.#hand.openBytes;
    const slots = this.#slotsWithRoom();
    this.#mustRead = false;
    if (seat === undefined || this.held.size === 0) return;
    // What is handled and not removed takes up places too.
    if (slots.length < this.held.size - this.leaving.size) void this.#init.acknowledger.flush();
    if (room <= 0 || roomBytes <= 0 || slots.length === 0) {
      this.#more = true;
      return;
    }
    const epochs = new Map(this.held);
    const mosts = slots.map((slot) => IN_HAND - this.#hand.countOf(slot));
    this.#readMs = settings.runtime.clock.monotonicMs();
    try {
      using ctx = context();
      const { rows } = await settings.db
        .at(ctx)
        .query<Row>(CLAIM, [seat.group, slots, mosts, slots.map((slot) => this.#heldText(slot)), room, roomBytes]);
      const perSlot = new Map<number, number>();
      for (const row of rows) {
        perSlot.set(row.slot, (perSlot.get(row.slot) ?? 0) + 1);
        this.#take(row, epochs.get(row.slot));
      }
      const bytes = rows.reduce((sum, { data }) => sum + data.length, 0);
      this.#more =
        rows.length >= room || bytes >= roomBytes || slots.some((slot, index) => perSlot.get(slot) === mosts[index]);
      if (rows.length > 0) this.#pollMs = FIRST_POLL_MS;
      this.pump();
    } catch (thrown) {
      this.#log.warn('the queue could not be read', { err: fromUnknown(thrown) });
      this.#init.onTrouble(thrown);
      this.#pollMs = FIRST_POLL_MS;
    }
  }

  /** Each time another one first, so that none is always the one that there was no room for. */
  #slotsWithRoom(): readonly number[] {
    const slots = [...this.held.keys()].filter((slot) => !this.leaving.has(slot) && this.#hand.countOf(slot) < IN_HAND);
    if (slots.length === 0) return slots;
    this.#firstSlot = (this.#firstSlot + 1) % slots.length;
    return [...slots.slice(this.#firstSlot), ...slots.slice(0, this.#firstSlot)];
  }

  #heldText(slot: number): string {
    return `{${this.#hand.positionsOf(slot).join(',')}}`;
  }

  #take(row: Row, epoch: bigint | undefined): void {
    const { slot, pos } = row;
    if (epoch === undefined || this.held.get(slot) !== epoch || this.leaving.has(slot) || !this.isActive) return;
    const envelope = toEnvelope(row);
    // An unordered event is in order with itself only.
    const lane = this.#types.get(row.type) === false ? `${row.source}!${row.id}` : `${row.source}#${row.key}`;
    this.#hand.add({ pos, slot, epoch, lane, envelope, deliveries: row.deliveries + 1 });
  }

  async #handle(entry: Entry): Promise<void> {
    try {
      if (this.#types.has(entry.envelope.type)) {
        await this.subscription.handle({ envelope: entry.envelope, delivery: entry.deliveries });
        this.#handled(entry);
      } else if (!this.groupTypes.has(entry.envelope.type)) this.#leaveOut(entry);
      else if (entry.deliveries < FOREIGN_TRIES) this.#againIn(entry, FOREIGN_MS);
      else {
        await this.subscription.handle({ envelope: entry.envelope, delivery: entry.deliveries });
        this.#handled(entry);
      }
    } catch (thrown) {
      this.#againLater(entry, thrown);
    }
    this.#running--;
    if (this.isClosing && this.#running === 0) this.#idle.resolve();
    if (!this.isActive || this.leaving.has(entry.slot)) this.#init.onChange();
    this.pump();
  }

  #handled(entry: Entry): void {
    const { seat } = this;
    if (!this.#hand.handled(entry) || seat === undefined) return;
    this.#init.acknowledger.add({
      group: seat.group,
      owner: seat.member,
      entry,
      onRemoved: () => {
        this.#hand.removed(entry);
        if (this.leaving.has(entry.slot)) this.#init.onChange();
        else if (this.#more) this.pump();
      },
    });
  }

  /** Its type was heard by an older version of this service, of which no process is left. */
  #leaveOut(entry: Entry): void {
    const { type, id } = entry.envelope;
    this.#log.warn('an event that no process of its group hears any more is left out', { type, id });
    this.#handled(entry);
  }

  #againLater(entry: Entry, thrown: unknown): void {
    const tries = Math.min(entry.deliveries - 1, 20);
    const ceilingMs = Math.min(LONGEST_REDELIVERY_MS, FIRST_REDELIVERY_MS * 2 ** tries);
    const delayMs = ceilingMs * (0.5 + this.#init.settings.runtime.random.next() / 2);
    const { type, id } = entry.envelope;
    if (this.#againIn(entry, delayMs)) {
      this.#log.warn('an event is delivered again', { type, id, delayMs, err: fromUnknown(thrown) });
    }
  }

  /** Later events of its key wait for it; other keys have its place meanwhile. */
  #againIn(entry: Entry, delayMs: number): boolean {
    if (!this.#hand.failed(entry)) return false;
    entry.deliveries++;
    if (!this.isActive || this.leaving.has(entry.slot)) this.#hand.dropWaiting(entry.slot);
    else {
      this.#init.settings.runtime.timers.after(delayMs, () => {
        this.#hand.retry(entry);
        this.pump();
      });
    }
    return true;
  }
}

const toEnvelope = (row: Row): Envelope => ({
  id: row.id,
  source: row.source,
  type: row.type,
  schema: row.schema,
  key: row.key,
  time: row.time,
  traceparent: row.traceparent,
  causationId: row.causation_id ?? undefined,
  ...(row.extensions === null ? {} : { extensions: row.extensions }),
  data: new Uint8Array(row.data),
});
