import { type Context, fromUnknown, type Logger, type Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createBell } from './bell.ts';
import type { Bus } from './bus.ts';
import type { Envelope } from './envelope.ts';
import type { MessagingOptions } from './options.ts';
import { createRelayLease, type RelayLease } from './relay-lease.ts';

export interface OutboxRelayInit {
  /** `source` of the events. */
  readonly source: string;
  readonly db: Database;
  readonly bus: Bus;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly options: MessagingOptions;
  /** Made anew for each statement, with its own deadline. */
  readonly context: () => Context;
}

interface Row {
  readonly pos: bigint;
  readonly id: string;
  readonly type: string;
  readonly schema: string;
  readonly key: string;
  readonly time: Date;
  readonly traceparent: string;
  readonly causation_id: string | null;
  readonly data: Uint8Array;
}

/** A wait after something failed, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2000;

const READ = `
  /* relay-read */
  SELECT pos, id, type, schema, key, time, traceparent, causation_id, data FROM souk.outbox
  WHERE pos <> ALL($1::bigint[]) ORDER BY pos LIMIT $2`;

/**
 * Sends what is in the outbox, in the order of `pos`, and removes what all subscriptions have.
 *
 *   in the outbox --read--> in flight --acknowledged--> done --renew--> removed
 *                               └----refused----> in the outbox
 *
 * I1 one process relays a database at a time, and only its holder of the lease removes rows.
 * I2 a row is removed only after the bus has acknowledged it.
 * I3 events of a key go to the bus in the order of `pos`. No cursor is moved: rows of transactions that commit late are read when they appear.
 * I4 at most `maxInFlight` events are held in memory.
 */
export class OutboxRelay {
  readonly #init: OutboxRelayInit;
  readonly #lease: RelayLease;
  readonly #bell;
  /** Handed to the bus, or refused by it and not looked at yet. */
  readonly #inFlight = new Set<bigint>();
  readonly #busyKeys = new Map<string, number>();
  #done: bigint[] = [];
  #refused: { readonly key: string; readonly positions: readonly bigint[] }[] = [];
  /** Changes when the lease is lost: what the bus still says about earlier events is not for us any more. */
  #reign = 0;
  #mustRead = false;
  #failures = 0;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(init: OutboxRelayInit) {
    this.#init = init;
    this.#lease = createRelayLease({ db: init.db, runtime: init.runtime, leaseMs: init.options.leaseMs });
    this.#bell = createBell(init.runtime.timers);
  }

  get leading(): boolean {
    return this.#lease.held;
  }

  /** Something was committed. */
  wake(): void {
    this.#mustRead = true;
    this.#bell.ring();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Reads nothing more, waits at most `drainMs` for what is in flight, and lets go of the lease. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#bell.ring();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { options, runtime } = this.#init;
    let readMs = Number.NEGATIVE_INFINITY;
    while (!this.#stopping) {
      try {
        if (await this.#lead()) {
          const nowMs = runtime.clock.monotonicMs();
          if (this.#mustRead || nowMs - readMs >= options.pollMs) {
            readMs = nowMs;
            await this.#read();
          }
        }
        this.#failures = 0;
      } catch (thrown) {
        await this.#pause(thrown);
        continue;
      }
      await this.#bell.rest(options.pollMs);
      // Commits come in bursts: the next read takes along what is committed meanwhile.
      const restMs = readMs + options.coalesceMs - runtime.clock.monotonicMs();
      if (this.#mustRead && restMs > 0 && !this.#stopping) await runtime.timers.sleep(restMs);
    }
    await this.#finish();
  }

  /** Gets or keeps the lease, and removes what is done. */
  async #lead(): Promise<boolean> {
    using ctx = this.#init.context();
    if (!this.#lease.held) {
      this.#abdicate();
      if (!(await this.#lease.acquire(ctx))) return false;
      this.#mustRead = true;
      return true;
    }
    if (this.#done.length === 0 && !this.#lease.isDue) return true;
    return this.#acknowledge(ctx);
  }

  async #acknowledge(ctx: Context): Promise<boolean> {
    const done = this.#done;
    this.#done = [];
    const reign = this.#reign;
    try {
      if (!(await this.#lease.renew(ctx, done))) {
        this.#init.log.warn('another process relays the outbox');
        this.#abdicate();
        return false;
      }
    } catch (error) {
      this.#done.push(...done);
      throw error;
    }
    if (reign === this.#reign) for (const pos of done) this.#inFlight.delete(pos);
    return true;
  }

  #abdicate(): void {
    this.#reign++;
    this.#inFlight.clear();
    this.#busyKeys.clear();
    this.#done = [];
    this.#refused = [];
  }

  async #read(): Promise<void> {
    const { options, db, bus } = this.#init;
    this.#takeBackRefused();
    const room = Math.min(options.batchSize, options.maxInFlight - this.#inFlight.size);
    // What is acknowledged makes room and rings.
    if (room <= 0) return;
    this.#mustRead = false;
    using ctx = this.#init.context();
    const { rows } = await db.at(ctx).query<Row>(READ, [[...this.#inFlight], room]);
    if (rows.length === room) this.#mustRead = true;
    if (!this.#lease.held) return;
    const refusedKeys = new Set(this.#refused.map(({ key }) => key));
    for (const [key, group] of byKey(rows)) {
      // An earlier event of the key was refused while we read: it goes first.
      const mustWait = refusedKeys.has(key) || (!bus.can.pipelinesKeys && this.#busyKeys.has(key));
      if (!mustWait) this.#publish(key, group);
    }
    if (this.#mustRead) this.#bell.ring();
  }

  #publish(key: string, group: readonly Row[]): void {
    const reign = this.#reign;
    const positions = group.map(({ pos }) => pos);
    for (const pos of positions) this.#inFlight.add(pos);
    this.#busyKeys.set(key, (this.#busyKeys.get(key) ?? 0) + 1);
    this.#init.bus.publish(group.map((row) => this.#envelope(row))).then(
      () => {
        if (reign !== this.#reign) return;
        this.#free(key);
        this.#acknowledged(positions);
      },
      (thrown) => {
        if (reign !== this.#reign) return;
        this.#free(key);
        this.#onRefused(key, positions, thrown);
      },
    );
  }

  #acknowledged(positions: readonly bigint[]): void {
    const { options, runtime } = this.#init;
    const wasFull = this.#inFlight.size >= options.maxInFlight;
    if (this.#done.length === 0) runtime.timers.after(options.ackMs, () => this.#bell.ring());
    this.#done.push(...positions);
    if (wasFull || !this.#init.bus.can.pipelinesKeys) this.#mustRead = true;
    if (this.#done.length >= options.batchSize) this.#bell.ring();
  }

  #onRefused(key: string, positions: readonly bigint[], thrown: unknown): void {
    const { log, runtime } = this.#init;
    this.#refused.push({ key, positions });
    if (this.#refused.length > 1) return;
    log.warn('the bus did not take an event: it stays in the outbox', { err: fromUnknown(thrown) });
    runtime.timers.after(FIRST_PAUSE_MS, () => this.wake());
  }

  #takeBackRefused(): void {
    for (const { positions } of this.#refused) for (const pos of positions) this.#inFlight.delete(pos);
    this.#refused = [];
  }

  #free(key: string): void {
    const left = (this.#busyKeys.get(key) ?? 1) - 1;
    if (left === 0) this.#busyKeys.delete(key);
    else this.#busyKeys.set(key, left);
    if (this.#stopping && this.#busyKeys.size === 0) this.#bell.ring();
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
      for (let leftMs = options.drainMs; this.#busyKeys.size > 0 && leftMs > 0; ) {
        await this.#bell.rest(Math.min(leftMs, options.pollMs));
        await this.#settle();
        leftMs = untilMs - runtime.clock.monotonicMs();
      }
      await this.#settle();
      using ctx = this.#init.context();
      await this.#lease.release(ctx);
    } catch (thrown) {
      log.warn('the outbox was not let go of: another process takes it over when the lease ends', {
        err: fromUnknown(thrown),
      });
    }
  }

  async #settle(): Promise<void> {
    using ctx = this.#init.context();
    if (this.#lease.held && (this.#done.length > 0 || this.#lease.isDue)) await this.#acknowledge(ctx);
  }

  #envelope(row: Row): Envelope {
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
    };
  }
}

function byKey(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.key);
    if (group === undefined) groups.set(row.key, [row]);
    else group.push(row);
  }
  return groups;
}
