import type { Context, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';

/** What keeps readers of all streams from reading on. */
export interface Horizon {
  /** For how long the oldest transaction that writes has been at it, in seconds; 0 when there is none. */
  readonly ageSeconds: number;
  /** Who it is, as far as this database may know. */
  readonly holder: { readonly pid: number | null; readonly application: string } | undefined;
}

export interface HorizonWatch {
  /** Looks, sets the gauge, and warns of what stands in the way for more than 5 s. To be called every few seconds. */
  check(ctx: Context): Promise<Horizon>;
}

interface HorizonRow {
  readonly xmin: string;
  readonly open: boolean;
  readonly pid: number | null;
  readonly application: string | null;
  readonly began: Date | null;
  readonly now: Date;
}

// Ids are those of the whole cluster: a transaction of another database holds readers up as well. Whose start may not be seen by this
// role is timed from when it was first met.
const LOOK = `
  /* watch-horizon */
  SELECT pg_snapshot_xmin(s)::text AS xmin, coalesce(a.backend_xid, p.transaction) IS NOT NULL OR pg_snapshot_xmin(s) < pg_snapshot_xmax(s) AS open, a.pid,
    coalesce(a.application_name, 'prepared transaction ' || p.gid) AS application,
    coalesce(a.xact_start, p.prepared) AS began, clock_timestamp() AS now
  FROM pg_current_snapshot() s
  LEFT JOIN pg_stat_activity a ON a.backend_xid = pg_snapshot_xmin(s)::xid
  LEFT JOIN pg_prepared_xacts p ON p.transaction = pg_snapshot_xmin(s)::xid
  LIMIT 1`;

const WARN_AFTER_S = 5;

/** Watches the oldest open write transaction of the cluster: readers of all streams, and so projections, wait for it. */
export function createHorizonWatch(init: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
}): HorizonWatch {
  const { db, runtime, telemetry } = init;
  const gauge = telemetry.metrics.gauge({
    name: 'souk_eventstore_horizon_age_seconds',
    help: 'Age of the oldest open write transaction of the cluster: readers of all streams wait for it',
  });
  let met: { xmin: string; atMs: number } | undefined;
  let warned: string | undefined;

  return {
    check: async (ctx) => {
      const row = (await db.at(ctx).query<HorizonRow>(LOOK)).rows[0];
      const nowMs = runtime.clock.monotonicMs();
      if (row?.open !== true) met = undefined;
      else if (met?.xmin !== row.xmin) met = { xmin: row.xmin, atMs: nowMs };
      const seenMs = met === undefined ? 0 : nowMs - met.atMs;
      const knownMs = met === undefined || !row?.began ? 0 : row.now.getTime() - row.began.getTime();
      const ageSeconds = Math.max(seenMs, knownMs) / 1000;
      gauge.set(ageSeconds, {});
      const holder =
        met === undefined ? undefined : { pid: row?.pid ?? null, application: row?.application ?? 'unknown' };
      if (ageSeconds > WARN_AFTER_S && warned !== met?.xmin) {
        warned = met?.xmin;
        ctx.log.warn('an old write transaction keeps readers of events waiting: end it', {
          database: db.name,
          pid: holder?.pid,
          application: holder?.application,
          ageSeconds: Math.round(ageSeconds),
        });
      }
      return { ageSeconds, holder };
    },
  };
}
