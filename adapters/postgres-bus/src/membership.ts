import { type Context, fromUnknown } from '@souk/kernel';
import { type BusHealth, messagingErrors } from '@souk/messaging';
import { type Bell, createBell } from './bell.ts';
import type { Doorbell } from './doorbell.ts';
import { SLOTS } from './migrations.ts';
import type { PostgresBusSettings } from './options.ts';
import { IN_HAND, type Subscriber } from './subscriber.ts';

const JOIN = `
  /* bus-join */
  INSERT INTO souk.bus_process (id, alive_until) VALUES ($1, clock_timestamp() + $2::bigint * interval '1 ms')`;

// What a group hears is what its living processes hear; what none of them hears is forgotten.
const SUBSCRIBE = `
  /* bus-subscribe */
  WITH own AS (
    INSERT INTO souk.bus_group (name) VALUES ($3) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
  ), slots AS (
    INSERT INTO souk.bus_slot (group_id, slot) SELECT own.id, slot FROM own, generate_series(0, ${SLOTS - 1}) slot ON CONFLICT DO NOTHING
  ), member AS (
    INSERT INTO souk.bus_member (id, process, group_id, types, active) SELECT $2, $1, own.id, $4, $6 FROM own
    ON CONFLICT (id) DO UPDATE SET active = excluded.active
  ), heard AS (
    INSERT INTO souk.bus_interest (type, group_id, ordered)
    SELECT t.type, own.id, t.ordered FROM own, unnest($4::text[], $5::boolean[]) AS t (type, ordered)
    ON CONFLICT (type, group_id) DO UPDATE SET ordered = bus_interest.ordered OR excluded.ordered
  ), forgotten AS (
    DELETE FROM souk.bus_interest i USING own
    WHERE i.group_id = own.id AND i.type <> ALL ($4) AND NOT EXISTS (
      SELECT FROM souk.bus_member m JOIN souk.bus_process p ON p.id = m.process
      WHERE m.group_id = own.id AND p.alive_until > clock_timestamp() AND i.type = ANY (m.types))
  )
  SELECT id FROM own`;

const ACTIVATE = '/* bus-activate */ UPDATE souk.bus_member SET active = $2 WHERE id = $1';

// No row: we were silent for too long, and somebody took our place among the living away. One without a member: we hear nothing.
const RENEW = `
  /* bus-renew */
  WITH me AS (
    UPDATE souk.bus_process SET alive_until = clock_timestamp() + $2::bigint * interval '1 ms' WHERE id = $1 RETURNING id
  ), seats AS (
    SELECT m.id, m.group_id, m.types, m.active FROM souk.bus_member m JOIN souk.bus_process p ON p.id = m.process
    WHERE p.alive_until > clock_timestamp() OR p.id = $1
  )
  SELECT m.id AS member,
    ARRAY(SELECT s.slot || ':' || s.epoch FROM souk.bus_slot s WHERE s.group_id = m.group_id AND s.owner = m.id) AS held,
    (SELECT count(*)::int FROM seats o WHERE o.group_id = m.group_id AND o.id <> m.id AND o.active) AS others,
    (SELECT count(*)::int FROM souk.bus_slot s
      WHERE s.group_id = m.group_id AND (s.owner IS NULL OR s.owner NOT IN (SELECT id FROM seats))) AS free,
    ARRAY(SELECT DISTINCT t FROM seats o, unnest(o.types) t WHERE o.group_id = m.group_id) AS types,
    souk.bus_has_events(m.group_id) AS waiting
  FROM me LEFT JOIN souk.bus_member m ON m.process = me.id`;

const TAKE = '/* bus-take */ SELECT slot::int AS slot, epoch FROM souk.bus_take($1, $2, $3, $4, $5)';

const RELEASE = `
  /* bus-release */
  UPDATE souk.bus_slot s SET owner = NULL
  FROM unnest($3::smallint[], $4::bigint[]) AS mine (slot, epoch)
  WHERE s.group_id = $2 AND s.owner = $1 AND s.slot = mine.slot AND s.epoch = mine.epoch`;

const UNSUBSCRIBE = '/* bus-unsubscribe */ DELETE FROM souk.bus_member WHERE id = $1';
const LEAVE = '/* bus-leave */ DELETE FROM souk.bus_process WHERE id = $1';

interface RenewRow {
  readonly member: string | null;
  readonly held: readonly string[];
  readonly others: number;
  readonly free: number;
  readonly types: readonly string[];
  readonly waiting: boolean;
}

/** `start` waits no longer for the first connection. */
const START_MS = 5000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** Between two beats, however many reasons there are. */
const SHORTEST_BEAT_MS = 5;

/**
 * This process among those of the bus: it says that it lives, and has a fair share of the slots of each of its groups. The database's
 * clock decides who has a slot; its epoch goes up with each change of hands and is part of every removal, so that a holder that slept
 * through its end removes nothing.
 */
export class Membership {
  readonly #settings: PostgresBusSettings;
  readonly #context: () => Context;
  readonly #doorbell: Doorbell;
  readonly #subscribers = new Set<Subscriber>();
  readonly #bell: Bell;
  readonly #first = Promise.withResolvers<void>();
  readonly #closing = new AbortController();
  #beaten = Promise.withResolvers<void>();
  #process: string | undefined;
  /** By our own clock, counted from before the question was sent: it ends before the database's does. */
  #renewedMs = Number.NEGATIVE_INFINITY;
  #connected = false;
  #sinceMs: number;
  #lastError: string | undefined;
  #failures = 0;
  #last: Promise<void> = Promise.resolve();
  #running: Promise<void> | undefined;

  constructor(settings: PostgresBusSettings, context: () => Context, doorbell: Doorbell) {
    this.#settings = settings;
    this.#context = context;
    this.#doorbell = doorbell;
    this.#bell = createBell(settings.runtime.timers);
    this.#sinceMs = settings.runtime.clock.monotonicMs();
  }

  get subscribers(): ReadonlySet<Subscriber> {
    return this.#subscribers;
  }

  get isValid(): boolean {
    return this.#settings.runtime.clock.monotonicMs() - this.#renewedMs < this.#settings.leaseMs * 0.75;
  }

  add(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    this.beatNow();
  }

  /** Resolves after the first beat, or when that takes too long. */
  async start(): Promise<void> {
    this.#running ??= this.#run();
    const timer = this.#settings.runtime.timers.after(START_MS, () => this.#first.resolve());
    await this.#first.promise;
    timer.cancel();
  }

  beatNow(): void {
    this.#bell.ring();
  }

  /**
   * Resolves when all groups of this process are known, so that no event is published past them.
   * @throws MESSAGING_BUS_UNAVAILABLE
   */
  async demand(): Promise<void> {
    while (!this.#connected || [...this.#subscribers].some((one) => !one.isKnown && !one.isClosing)) {
      if (!this.#connected) {
        const why = this.#closing.signal.aborted ? 'it is closed' : (this.#lastError ?? 'not connected yet');
        throw messagingErrors.BUS_UNAVAILABLE({ bus: 'postgres', why });
      }
      this.beatNow();
      await this.#beaten.promise;
    }
  }

  health(): BusHealth {
    const state = this.#closing.signal.aborted ? 'closed' : this.#connected ? 'connected' : 'connecting';
    const sinceMs = this.#settings.runtime.clock.monotonicMs() - this.#sinceMs;
    return { state, sinceMs, lastError: this.#lastError };
  }

  /** Gives back all slots of a subscription. What cannot be given back goes to others when the lease ends. Never rejects. */
  leave(subscriber: Subscriber): Promise<void> {
    this.#subscribers.delete(subscriber);
    // Not while a beat may be taking slots for it.
    return this.#alone(() => this.#leave(subscriber));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#turn(false);
    this.#bell.ring();
    await this.#running;
    if (this.#process === undefined) return;
    try {
      await this.#query(LEAVE, [this.#process]);
    } catch (thrown) {
      this.#settings.log.debug('the bus was not told that this process has left', { err: fromUnknown(thrown) });
    }
  }

  async #leave(subscriber: Subscriber): Promise<void> {
    const { seat } = subscriber;
    if (seat === undefined) return;
    try {
      await this.#release(subscriber, [...subscriber.held.keys()]);
      await this.#query(UNSUBSCRIBE, [seat.member]);
    } catch (thrown) {
      this.#settings.log.warn('slots were not given back: other processes have them when the lease ends', {
        consumer: subscriber.subscription.name,
        err: fromUnknown(thrown),
      });
    }
    this.#doorbell.ringLeases();
  }

  async #run(): Promise<void> {
    const { runtime, leaseMs } = this.#settings;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const beganMs = runtime.clock.monotonicMs();
      const pauseMs = await this.#tryBeat();
      this.#beaten.resolve();
      this.#beaten = Promise.withResolvers();
      if (signal.aborted) break;
      if (pauseMs > 0) await runtime.timers.sleep(pauseMs, signal).catch(() => {});
      else {
        await this.#bell.rest(Math.max(0, beganMs + leaseMs / 4 - runtime.clock.monotonicMs()));
        const restMs = beganMs + SHORTEST_BEAT_MS - runtime.clock.monotonicMs();
        if (restMs > 0) await runtime.timers.sleep(restMs);
      }
    }
    this.#first.resolve();
  }

  /** @returns how long to wait for the next attempt; 0 when all went well */
  async #tryBeat(): Promise<number> {
    const { log, runtime } = this.#settings;
    try {
      await this.#alone(() => this.#beat());
      this.#failures = 0;
      if (!this.#connected && !this.#closing.signal.aborted) {
        this.#turn(true);
        log.info('connected to the bus', { bus: 'postgres' });
        for (const subscriber of this.#subscribers) subscriber.wake();
      }
      this.#first.resolve();
      return 0;
    } catch (thrown) {
      const err = fromUnknown(thrown);
      this.#lastError = err.cause instanceof Error ? `${err.message}: ${err.cause.message}` : err.message;
      if (this.#connected) this.#turn(false);
      const ceilingMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures++, 10));
      const delayMs = runtime.random.next() * ceilingMs;
      log.warn('no connection to the bus', { bus: 'postgres', delayMs, err });
      return Math.max(1, delayMs);
    }
  }

  async #beat(): Promise<void> {
    const { leaseMs, runtime } = this.#settings;
    void this.#doorbell.listen();
    if (this.#process === undefined) {
      const joining = runtime.ids.uuid();
      await this.#query(JOIN, [joining, leaseMs]);
      this.#process = joining;
    }
    for (const subscriber of this.#subscribers) await this.#introduce(subscriber);
    const askedMs = runtime.clock.monotonicMs();
    const rows = await this.#query<RenewRow>(RENEW, [this.#process, leaseMs]);
    if (rows.length === 0) {
      this.#settings.log.warn('this process was silent for too long, and others have taken its slots');
      this.#process = undefined;
      for (const subscriber of this.#subscribers) {
        subscriber.standUp();
      }
      return this.#beat();
    }
    this.#renewedMs = askedMs;
    const views = new Map(rows.map((row) => [row.member, row]));
    for (const subscriber of this.#subscribers) {
      const view = views.get(subscriber.seat?.member ?? '');
      if (view !== undefined) await this.#share(subscriber, view);
      subscriber.pump();
    }
  }

  async #introduce(subscriber: Subscriber): Promise<void> {
    const { isActive, isActiveThere, seat } = subscriber;
    const { name, types } = subscriber.subscription;
    if (subscriber.isClosing) return;
    if (seat === undefined) {
      const member = subscriber.nextMember;
      const values = [types.map(({ type }) => type), types.map(({ ordered }) => ordered), isActive];
      const [row] = await this.#query<{ id: number }>(SUBSCRIBE, [this.#process, member, name, ...values]);
      if (row === undefined) return;
      subscriber.sitDown({ group: row.id, member });
      this.#doorbell.ringLeases();
    } else if (isActive !== isActiveThere) {
      await this.#query(ACTIVATE, [seat.member, isActive]);
      this.#doorbell.ringLeases();
    }
    subscriber.isActiveThere = isActive;
  }

  async #share(subscriber: Subscriber, view: RenewRow): Promise<void> {
    const { held, leaving } = subscriber;
    const ours = new Map(view.held.map((text) => toSlot(text)));
    subscriber.lose([...held].filter(([slot, epoch]) => ours.get(slot) !== epoch).map(([slot]) => slot));
    // Taken by a statement whose answer was lost.
    const unknown = [...ours].filter(([slot]) => !held.has(slot));
    if (unknown.length > 0) subscriber.gain(new Map(unknown));
    subscriber.groupTypes = new Set(view.types);
    const share = subscriber.isActive ? Math.ceil(SLOTS / (view.others + 1)) : 0;
    subscriber.keep([...leaving].slice(0, Math.max(0, share - (held.size - leaving.size))));
    const staying = [...held.keys()].filter((slot) => !leaving.has(slot));
    subscriber.giveUp(staying.slice(share));
    const missing = Math.min(share - staying.length, view.free);
    if (missing > 0) await this.#take(subscriber, missing);
    const idle = [...leaving].filter((slot) => subscriber.isIdle(slot));
    if (idle.length > 0) {
      await this.#release(subscriber, idle);
      this.#doorbell.ringLeases();
    }
    if (view.waiting) subscriber.look();
  }

  async #take(subscriber: Subscriber, most: number): Promise<void> {
    const { seat } = subscriber;
    if (seat === undefined) return;
    const values = [this.#process, seat.member, seat.group, most, IN_HAND];
    const rows = await this.#query<{ slot: number; epoch: bigint }>(TAKE, values);
    if (rows.length > 0) subscriber.gain(new Map(rows.map(({ slot, epoch }) => [slot, epoch])));
  }

  async #release(subscriber: Subscriber, slots: readonly number[]): Promise<void> {
    const { seat, held } = subscriber;
    if (seat === undefined || slots.length === 0) return;
    const epochs = slots.map((slot) => held.get(slot) ?? 0n);
    await this.#query(RELEASE, [seat.member, seat.group, slots, epochs]);
    subscriber.lose(slots);
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      return await work();
    } finally {
      resolve();
    }
  }

  async #query<TRow>(text: string, values: readonly unknown[]): Promise<readonly TRow[]> {
    using ctx = this.#context();
    return (await this.#settings.db.at(ctx).query<TRow>(text, values)).rows;
  }

  #turn(connected: boolean): void {
    this.#connected = connected;
    this.#sinceMs = this.#settings.runtime.clock.monotonicMs();
  }
}

function toSlot(text: string): readonly [slot: number, epoch: bigint] {
  const [slot = '', epoch = '0'] = text.split(':');
  return [Number(slot), BigInt(epoch)];
}
