import type { Context, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';

export interface RelayLeaseInit {
  readonly db: Database;
  readonly runtime: Runtime;
  /** A holder that is silent for so long has lost it. Milliseconds. */
  readonly leaseMs: number;
}

/**
 * The right to relay one outbox. The database's clock decides who has it; the epoch goes up with each change of hands and is
 * part of every write, so that a holder that slept through its end changes nothing.
 */
export interface RelayLease {
  /** True between a successful `acquire` and the loss; false some time before anybody else can have it. */
  readonly held: boolean;
  /** @returns whether we hold it now */
  acquire(ctx: Context): Promise<boolean>;
  /** Renews the lease and, in the same statement, removes `done` from the outbox; neither when it is lost. @returns whether it is still ours */
  renew(ctx: Context, done: readonly bigint[]): Promise<boolean>;
  /** True when it should be renewed soon. */
  readonly isDue: boolean;
  /** Lets the next one have it at once. */
  release(ctx: Context): Promise<void>;
}

const ACQUIRE = `
  /* relay-acquire */
  INSERT INTO souk.relay_lease AS l (owner, epoch, lease_until)
  VALUES ($1, 1, clock_timestamp() + $2::bigint * interval '1 ms')
  ON CONFLICT (one) DO UPDATE
    SET owner = excluded.owner, epoch = l.epoch + 1, lease_until = excluded.lease_until
    WHERE l.lease_until < clock_timestamp() OR l.owner = excluded.owner
  RETURNING epoch`;

const RENEW = `
  /* relay-acknowledge */
  WITH held AS (
    UPDATE souk.relay_lease SET lease_until = clock_timestamp() + $3::bigint * interval '1 ms'
    WHERE owner = $1 AND epoch = $2
    RETURNING 1
  ), gone AS (
    DELETE FROM souk.outbox WHERE pos = ANY($4::bigint[]) AND EXISTS (SELECT FROM held)
  )
  SELECT FROM held`;

const RELEASE = `
  /* relay-release */
  UPDATE souk.relay_lease SET lease_until = '-infinity' WHERE owner = $1 AND epoch = $2`;

export function createRelayLease({ db, runtime, leaseMs }: RelayLeaseInit): RelayLease {
  const { clock } = runtime;
  const owner = runtime.ids.uuid();
  let epoch: bigint | undefined;
  /** By our own clock, counted from before the question was sent: it ends before the database's does. */
  let renewedMs = Number.NEGATIVE_INFINITY;

  return {
    get held() {
      return epoch !== undefined && clock.monotonicMs() - renewedMs < leaseMs * 0.75;
    },
    get isDue() {
      return clock.monotonicMs() - renewedMs > leaseMs / 4;
    },
    acquire: async (ctx) => {
      const askedMs = clock.monotonicMs();
      const { rows } = await db.at(ctx).query<{ epoch: bigint }>(ACQUIRE, [owner, leaseMs]);
      epoch = rows[0]?.epoch;
      if (epoch !== undefined) renewedMs = askedMs;
      return epoch !== undefined;
    },
    renew: async (ctx, done) => {
      const askedMs = clock.monotonicMs();
      const { rowCount } = await db.at(ctx).query(RENEW, [owner, epoch ?? 0n, leaseMs, done]);
      if (rowCount > 0) renewedMs = askedMs;
      else epoch = undefined;
      return rowCount > 0;
    },
    release: async (ctx) => {
      if (epoch === undefined) return;
      await db.at(ctx).query(RELEASE, [owner, epoch]);
      epoch = undefined;
    },
  };
}
