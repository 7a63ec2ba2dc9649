import {
  type Conditions,
  checkConditions,
  checkRegistration,
  type Registered,
  type Registration,
} from '@souk/discovery';
import { fromUnknown } from '@souk/kernel';
import { EtcdLeaseInvalidError, type IKeyValue, type ITxnRequest } from 'etcd3';
import type { Attempt, Connection } from './connection.ts';
import { etcdErrors } from './errors.ts';
import type { EtcdSettings } from './options.ts';
import { pauseMs } from './pause.ts';
import { incarnationIn, instanceKey, toValue } from './wire.ts';

/** A server takes 128 operations in one transaction. */
const READ_AT_ONCE = 64;

interface Entry {
  readonly registration: Registration;
  readonly key: string;
  conditions: Conditions;
  /** It has said good-bye, and its key is to be taken out. */
  leaving: boolean;
  /** Resolve when etcd says what this entry says. */
  readonly waiting: Set<() => void>;
}

interface Lease {
  readonly id: string;
  /** By our own clock, counted from when the renewal was sent: the server never takes the keys out before. */
  endsMs: number;
}

/**
 * Writes what this process has registered, and keeps it there: three times in the life of the lease, and on every change, what etcd holds is
 * read and made what it should be. There is no other way in which a key is written, so whatever was lost is back after the next round.
 *
 * I1 a key is written only over what was read before in the same round, and never over a younger incarnation.
 * I2 a lease whose time is over by our clock is not used any more, whatever the server says of it.
 * I3 every key of ours belongs to the one lease in use.
 */
export class Announcer {
  readonly #settings: EtcdSettings;
  readonly #connection: Connection;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #lease: Lease | undefined;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #poked = Promise.withResolvers<void>();

  constructor(settings: EtcdSettings, connection: Connection) {
    this.#settings = settings;
    this.#connection = connection;
    this.#running = this.#run();
  }

  async register(registration: Registration, conditions: Conditions): Promise<Registered> {
    checkRegistration(registration, conditions);
    const key = instanceKey(this.#settings.prefix, registration);
    const entry: Entry = { registration, key, conditions, leaving: false, waiting: new Set() };
    const before = this.#entries.get(key);
    if (before !== undefined && before.registration.incarnation > registration.incarnation) this.#giveUp(entry);
    else {
      for (const resolve of before?.waiting ?? []) resolve();
      this.#entries.set(key, entry);
      await this.#written(entry);
    }
    return {
      update: async (next) => {
        checkConditions(registration, next);
        if (entry.leaving || this.#entries.get(key) !== entry) return;
        // There is no way back from terminating.
        if (!entry.conditions.terminating || next.terminating) entry.conditions = next;
        await this.#written(entry);
      },
      deregister: async () => {
        if (this.#entries.get(key) !== entry) return;
        entry.leaving = true;
        await this.#written(entry);
      },
    };
  }

  /** Ends the lease, and with it every key. */
  async close(): Promise<void> {
    const { runtime, patienceMs, log } = this.#settings;
    this.#closing.abort();
    this.#poked.resolve();
    const end = async () => {
      await this.#running;
      if (this.#lease === undefined) return;
      const { client } = this.#connection.current();
      await client.leaseClient.leaseRevoke({ ID: this.#lease.id }, this.#connection.deadline());
    };
    const limit = Promise.withResolvers<void>();
    const timer = runtime.timers.after(patienceMs, limit.resolve);
    const ending = end().catch((error) => {
      log.warn('the lease could not be given back and runs out by itself', { err: fromUnknown(error) });
    });
    await Promise.race([ending, limit.promise]);
    timer.cancel();
    for (const { waiting } of this.#entries.values()) for (const resolve of waiting) resolve();
  }

  /** Waits for the next round that finds everything of this entry in place, but not for ever. */
  #written(entry: Entry): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => {
      timer.cancel();
      entry.waiting.delete(done);
      resolve();
    };
    const timer = this.#settings.runtime.timers.after(this.#settings.patienceMs, done);
    entry.waiting.add(done);
    this.#poked.resolve();
    return promise;
  }

  async #run(): Promise<void> {
    const { runtime, ttlMs } = this.#settings;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      this.#poked = Promise.withResolvers<void>();
      const attempt = this.#connection.current();
      try {
        await this.#round(attempt);
        this.#connection.succeeded(attempt);
        failures = 0;
        const timer = runtime.timers.after((ttlMs / 3) * (0.9 + 0.1 * runtime.random.next()), this.#poked.resolve);
        await this.#poked.promise;
        timer.cancel();
      } catch (error) {
        if (error instanceof EtcdLeaseInvalidError) this.#lease = undefined;
        this.#connection.failed(attempt, error);
        await runtime.timers.sleep(pauseMs(runtime, failures++), signal).catch(() => {});
      }
    }
  }

  async #round(attempt: Attempt): Promise<void> {
    const { client } = attempt;
    if (this.#entries.size === 0) {
      this.#lease = undefined;
      // Asked only to know that it is there.
      const key = Buffer.from(this.#settings.prefix);
      await client.kv.range({ key, count_only: true }, this.#connection.deadline());
      return;
    }
    const lease = await this.#hold(attempt);
    const entries = [...this.#entries.values()];
    for (let at = 0; at < entries.length; at += READ_AT_ONCE) {
      const some = entries.slice(at, at + READ_AT_ONCE);
      const success = some.map(({ key }) => ({ request_range: { key: Buffer.from(key) } }));
      const { responses } = await client.kv.txn({ success }, this.#connection.deadline());
      const held = responses.map(({ response_range }) => response_range.kvs[0]);
      await Promise.all(some.map((entry, index) => this.#settle(attempt, lease, entry, held[index])));
    }
  }

  /** The lease in use, renewed or new. */
  async #hold(attempt: Attempt): Promise<Lease> {
    const { runtime, ttlMs, log } = this.#settings;
    const nowMs = runtime.clock.monotonicMs();
    const held = this.#lease;
    if (held !== undefined && nowMs < held.endsMs) {
      // A round that a change has caused.
      if (nowMs - this.#renewedMs < ttlMs / 6) return held;
      const ttl = await this.#keepAlive(attempt, held.id);
      if (ttl > 0) {
        held.endsMs = nowMs + ttl * 1000;
        this.#renewedMs = nowMs;
        return held;
      }
    }
    if (held !== undefined) log.warn('the lease is lost, registering again', { instances: this.#entries.size });
    this.#lease = undefined;
    const granted = await attempt.client.leaseClient.leaseGrant({ TTL: ttlMs / 1000 }, this.#connection.deadline());
    const lease = { id: granted.ID, endsMs: nowMs + Number(granted.TTL) * 1000 };
    this.#lease = lease;
    this.#renewedMs = nowMs;
    return lease;
  }

  /** @returns seconds that are left of it; 0 when the server does not know it */
  async #keepAlive({ client, host }: Attempt, id: string): Promise<number> {
    const { runtime, callMs } = this.#settings;
    const stream = await client.leaseClient.leaseKeepAlive();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const noAnswer = () => etcdErrors.NO_ANSWER({ host, what: 'a renewal of the lease', ms: callMs });
    const timer = runtime.timers.after(callMs, () => reject(noAnswer()));
    stream
      .on('error', reject)
      .on('end', () => reject(noAnswer()))
      .on('data', ({ TTL }) => resolve(Number(TTL)));
    stream.write({ ID: id });
    try {
      return await promise;
    } finally {
      timer.cancel();
      stream.cancel();
    }
  }

  /** @param held What etcd holds under the key. */
  async #settle(attempt: Attempt, lease: Lease, entry: Entry, held: IKeyValue | undefined): Promise<void> {
    const { registration, conditions, leaving, waiting } = entry;
    const asked = [...waiting];
    const key = Buffer.from(entry.key);
    const incarnation = held === undefined ? undefined : incarnationIn(held.value.toString());
    if (leaving) {
      const isOurs = held !== undefined && incarnation === registration.incarnation;
      const isOut = !isOurs || (await this.#change(attempt, key, held, { request_delete_range: { key } }));
      if (!isOut) return;
      if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    } else if (incarnation !== undefined && incarnation > registration.incarnation) {
      this.#giveUp(entry);
    } else {
      const value = Buffer.from(toValue(registration, conditions));
      const isThere = held?.lease === lease.id && held.value.equals(value);
      const put = { request_put: { key, value, lease: lease.id } };
      if (!isThere && !(await this.#change(attempt, key, held, put))) return;
    }
    for (const resolve of asked) resolve();
  }

  /** @returns false when somebody else has changed the key meanwhile: the next round, which comes at once, sees what to do */
  async #change(
    { client }: Attempt,
    key: Buffer,
    held: IKeyValue | undefined,
    operation: NonNullable<ITxnRequest['success']>[number],
  ): Promise<boolean> {
    const mod_revision = held?.mod_revision ?? '0';
    const compare = [{ key, target: 'Mod', result: 'Equal', mod_revision } as const];
    const { succeeded } = await client.kv.txn({ compare, success: [operation] }, this.#connection.deadline());
    if (!succeeded) this.#poked.resolve();
    return succeeded;
  }

  #giveUp(entry: Entry): void {
    const { id, service } = entry.registration;
    this.#settings.log.error('a younger run has taken over this id: not registered any more', { id, service });
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    for (const resolve of entry.waiting) resolve();
  }
}
