import { type Context, fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import { isRejection, type Policy } from '@souk/resilience';
import type { Database } from '@souk/store';
import { createBell } from './bell.ts';
import type { Bus } from './bus.ts';
import type { Envelope } from './envelope.ts';
import type { MessagingOptions } from './options.ts';
import { type InFlight, type OutboxRow, Outgoing } from './outgoing.ts';
import { createRelaySlots, type RelaySlots, SLOTS, type SlotsView } from './relay-slots.ts';
import { createWakeUp, type WakeUp } from './wake-up.ts';

export interface OutboxRelayInit {
  /** `source` of the events. */
  readonly source: string;
  readonly db: Database;
  readonly bus: Bus;
  /** What calls of the bus go through. */
  readonly policy?: Policy | undefined;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: MessagingOptions;
  /** Made anew for each statement, with its own deadline. */
  readonly context: () => Context;
}

/** Below a third of a thousand events per second each is read as soon as it is committed. */
const BURST_MS_PER_EVENT = 3;

/** A wait after something failed, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

/** How often the outbox is read although nothing says that there is something new. Milliseconds. */
const SAFETY_READ_MS = 5000;

/** Name of the attribute that says how often relays died with an event in their hands. */
export const SENDS = 'soukdeaths';

const COLUMNS =
  'pos, slot::int AS slot, id, type, schema, key, time, traceparent, causation_id, data, sends::int AS sends';

const READ_ALL = `
  /* relay-read */
  SELECT ${COLUMNS} FROM souk.outbox WHERE pos <> ALL($1::bigint[]) ORDER BY pos LIMIT $2`;

// Each slot by its own index: what waits in the slots of others, however much, is not looked at.
const READ_SLOTS = `
  /* relay-read */
  SELECT r.* FROM unnest($3::smallint[]) AS mine (slot), LATERAL (
    SELECT ${COLUMNS} FROM souk.outbox o WHERE o.slot = mine.slot AND pos <> ALL($1::bigint[]) ORDER BY pos LIMIT $2) r
  ORDER BY r.pos LIMIT $2`;

/**
 * Sends what is in the outbox, in the order of `pos`, and removes what all subscriptions have.
 *
 *   in the outbox --read--> in flight --acknowledged--> done --remove--> removed
 *                               └----refused----> in the outbox
 *
 * I1 one process at a time relays a slot, and so all of a key; only who has the slot removes its rows. Processes share the slots evenly.
 * I2 a row is removed only after the bus has acknowledged it.
 * I3 events of a key go to the bus in the order of `pos`. No cursor is moved: rows of transactions that commit late are read when they appear.
 * I4 at most `maxInFlight` events are held in memory.
 * I5 a slot is given back when nothing of it is in flight.
 */
export class OutboxRelay {
  readonly #init: OutboxRelayInit;
  readonly #slots: RelaySlots;
  readonly #wakeUp: WakeUp;
  readonly #bell;
  readonly #outgoing: Outgoing;
  readonly #leaving = new Set<number>();
  /** Highest position that was ever read. */
  #highest = 0n;
  #others = 0;
  #mustRead = false;
  /** Events that the last read found. */
  #found = 0;
  /** When the first of those that are done and not removed was done; monotonic milliseconds. */
  #doneAtMs = 0;
  #failures = 0;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(init: OutboxRelayInit) {
    const { db, runtime, log, context, options } = init;
    this.#init = init;
    this.#slots = createRelaySlots({ db, runtime, leaseMs: options.leaseMs, maxInFlight: options.maxInFlight });
    this.#outgoing = new Outgoing((slot) => this.#slots.held.get(slot));
    this.#bell = createBell(runtime.timers);
    this.#wakeUp = createWakeUp({ db, runtime, log, context, onWake: () => this.#wake() });
  }

  /** Slots that this process relays. */
  get slots(): number {
    return this.#slots.isValid ? this.#slots.held.size : 0;
  }

  /** This process has committed something. */
  onCommit(): void {
    this.#wake();
    if (this.#others > 0) this.#wakeUp.tell();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Reads nothing more, waits at most `drainMs` for what is in flight, and lets go of all slots. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#bell.ring();
    await this.#running;
    await this.#wakeUp.close();
  }

  #wake(): void {
    this.#mustRead = true;
    this.#bell.ring();
  }

  async #run(): Promise<void> {
    const { options, runtime } = this.#init;
    const safetyMs = Math.max(SAFETY_READ_MS, options.pollMs);
    let readMs = Number.NEGATIVE_INFINITY;
    while (!this.#stopping) {
      try {
        await this.#lead();
        if (this.#slots.isValid && this.#slots.held.size > 0) {
          const nowMs = runtime.clock.monotonicMs();
          if (this.#mustRead || nowMs - readMs >= safetyMs) {
            readMs = nowMs;
            await this.#read();
          }
        }
        this.#failures = 0;
      } catch (thrown) {
        await this.#pause(thrown);
        continue;
      }
      await this.#bell.rest(Math.min(options.pollMs, this.#slots.dueInMs));
      // Commits come in bursts: the next read takes along what is committed meanwhile. After a read that found little there is no burst.
      const burstMs = Math.min(options.coalesceMs, this.#found * BURST_MS_PER_EVENT);
      const restMs = readMs + burstMs - runtime.clock.monotonicMs();
      if (this.#mustRead && restMs > 0 && !this.#stopping) await runtime.timers.sleep(restMs);
    }
    await this.#finish();
  }

  get #isRemovalDue(): boolean {
    const { options, runtime } = this.#init;
    const { doneCount } = this.#outgoing;
    return doneCount >= options.batchSize || runtime.clock.monotonicMs() >= this.#doneAtMs + options.ackMs;
  }

  /** Removes what is done, keeps the slots we have and takes or gives back what is not our share. */
  async #lead(): Promise<void> {
    // What is committed in this moment need not wait for a commit of ours.
    if (!this.#mustRead || this.#isRemovalDue) await this.#removeDone();
    const isDue = this.#slots.dueInMs === 0 || !this.#slots.isValid;
    if (!isDue && this.#leaving.size === 0) return;
    using ctx = this.#init.context();
    if (isDue) await this.#share(ctx, await this.#slots.renew(ctx));
    await this.#giveBack(ctx);
  }

  async #share(ctx: Context, view: SlotsView): Promise<void> {
    if (view.lost.length > 0) {
      this.#init.log.warn('another process relays a part of the outbox that was ours', { slots: view.lost.length });
      for (const slot of view.lost) this.#forget(slot);
    }
    if (view.others > 0) this.#wakeUp.listen();
    this.#others = view.others;
    if ((view.newest ?? 0n) > this.#highest) this.#mustRead = true;
    const { held } = this.#slots;
    const share = Math.ceil(SLOTS / (view.others + 1));
    const missing = Math.min(share - held.size, view.free);
    if (missing > 0 && (await this.#slots.acquire(ctx, missing)).length > 0) this.#mustRead = true;
    const staying = [...held.keys()].filter((slot) => !this.#leaving.has(slot));
    for (const slot of staying.slice(share)) this.#leaving.add(slot);
  }

  async #giveBack(ctx: Context): Promise<void> {
    if (this.#leaving.size === 0) return;
    this.#outgoing.takeBackRefused();
    const idle = [...this.#leaving].filter((slot) => !this.#outgoing.hasAny(slot));
    if (idle.length === 0) return;
    await this.#slots.release(ctx, idle);
    for (const slot of idle) this.#leaving.delete(slot);
    this.#wakeUp.tell();
  }

  async #removeDone(): Promise<void> {
    const done = this.#outgoing.takeDone();
    if (done.length === 0) return;
    try {
      using ctx = this.#init.context();
      await this.#slots.remove(ctx, done);
    } catch (error) {
      this.#outgoing.putBackDone(done);
      throw error;
    }
    this.#outgoing.removed(done);
  }

  #forget(slot: number): void {
    this.#outgoing.forget(slot);
    this.#leaving.delete(slot);
  }

  async #read(): Promise<void> {
    const { options, bus } = this.#init;
    const outgoing = this.#outgoing;
    outgoing.takeBackRefused();
    const room = Math.min(options.batchSize, options.maxInFlight - outgoing.size);
    // What is acknowledged makes room and rings.
    if (room <= 0) return;
    this.#mustRead = false;
    const rows = await this.#readRows(room);
    this.#found = rows.length;
    if (rows.length === room) this.#mustRead = true;
    for (const { pos } of rows) if (pos > this.#highest) this.#highest = pos;
    if (!this.#slots.isValid) return;
    for (const [key, group] of byKey(rows)) {
      const slot = (group[0] as OutboxRow).slot;
      const epoch = this.#slots.held.get(slot);
      // An earlier event of the key was refused while we read: it goes first.
      const mustWait = outgoing.isRefused(key) || (!bus.can.pipelinesKeys && outgoing.isBusy(key));
      if (epoch !== undefined && !mustWait) this.#publish({ key, slot, epoch, positions: [] }, group);
    }
    if (this.#mustRead) this.#bell.ring();
  }

  async #readRows(room: number): Promise<readonly OutboxRow[]> {
    using ctx = this.#init.context();
    const sql = this.#init.db.at(ctx);
    const skip = this.#outgoing.positions();
    const mine = [...this.#slots.held.keys()].filter((slot) => !this.#leaving.has(slot));
    const { rows } =
      mine.length === SLOTS
        ? await sql.query<OutboxRow>(READ_ALL, [skip, room])
        : await sql.query<OutboxRow>(READ_SLOTS, [skip, room, mine]);
    return rows;
  }

  #publish(about: InFlight, group: readonly OutboxRow[]): void {
    const { bus, policy } = this.#init;
    const batch = { ...about, positions: group.map(({ pos }) => pos) };
    this.#outgoing.sent(batch);
    const publish = () => bus.publish(group.map((row) => this.#envelope(row)));
    (policy === undefined ? publish() : policy.run(publish, { idempotent: false })).then(
      () => this.#acknowledged(batch),
      (thrown) => this.#onRefused(batch, thrown),
    );
  }

  #acknowledged(batch: InFlight): void {
    const { options, runtime, bus } = this.#init;
    const wasFull = this.#outgoing.size >= options.maxInFlight;
    const wasEmpty = this.#outgoing.doneCount === 0;
    if (!this.#outgoing.acknowledged(batch)) return;
    if (wasEmpty) {
      this.#doneAtMs = runtime.clock.monotonicMs();
      runtime.timers.after(options.ackMs, () => this.#bell.ring());
    }
    if (wasFull || !bus.can.pipelinesKeys) this.#mustRead = true;
    if (this.#outgoing.doneCount >= options.batchSize || (this.#stopping && this.#outgoing.isQuiet)) this.#bell.ring();
  }

  #onRefused(batch: InFlight, thrown: unknown): void {
    const { log, runtime } = this.#init;
    const isFirst = !this.#outgoing.hasRefused;
    if (!this.#outgoing.refused(batch)) return;
    if (this.#stopping && this.#outgoing.isQuiet) this.#bell.ring();
    if (!isFirst) return;
    const error = fromUnknown(thrown);
    log.warn('the bus did not take an event: it stays in the outbox', { err: error });
    // While the broker is spared nothing is to be had of reading again and again.
    const sparedMs = isRejection(error) && error.retry.kind === 'later' ? (error.retry.afterMs ?? 0) : 0;
    const afterMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, sparedMs));
    runtime.timers.after(afterMs, () => this.#wake());
  }

  async #pause(thrown: unknown): Promise<void> {
    const { runtime, log } = this.#init;
    const delayMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures++, 10));
    log.warn('the outbox could not be relayed', { err: fromUnknown(thrown), delayMs });
    this.#mustRead = true;
    await runtime.timers.sleep(delayMs);
  }

  async #finish(): Promise<void> {
    const { runtime, options, log } = this.#init;
    const untilMs = runtime.clock.monotonicMs() + options.drainMs;
    try {
      for (let leftMs = options.drainMs; !this.#outgoing.isQuiet && leftMs > 0; ) {
        await this.#bell.rest(Math.min(leftMs, options.pollMs));
        await this.#settle();
        leftMs = untilMs - runtime.clock.monotonicMs();
      }
      await this.#removeDone();
      using ctx = this.#init.context();
      await this.#slots.release(ctx, [...this.#slots.held.keys()]);
      await this.#slots.leave(ctx);
      if (this.#others > 0) this.#wakeUp.tell();
    } catch (thrown) {
      log.warn('the outbox was not let go of: other processes take it over when the lease ends', {
        err: fromUnknown(thrown),
      });
    }
  }

  async #settle(): Promise<void> {
    await this.#removeDone();
    if (this.#slots.dueInMs > 0) return;
    using ctx = this.#init.context();
    for (const slot of (await this.#slots.renew(ctx)).lost) this.#forget(slot);
  }

  #envelope(row: OutboxRow): Envelope {
    return {
      id: row.id,
      source: this.#init.source,
      type: row.type,
      schema: row.schema,
      key: row.key,
      time: row.time.toISOString(),
      traceparent: row.traceparent,
      causationId: row.causation_id ?? undefined,
      data: row.data,
      // A bus that remembers counts its own deliveries; this one's were ours.
      ...(row.sends > 0 && !this.#init.bus.can.durable ? { extensions: { [SENDS]: String(row.sends) } } : {}),
    };
  }
}

function byKey(rows: readonly OutboxRow[]): Map<string, OutboxRow[]> {
  const groups = new Map<string, OutboxRow[]>();
  for (const row of rows) {
    const group = groups.get(row.key);
    if (group === undefined) groups.set(row.key, [row]);
    else group.push(row);
  }
  return groups;
}
