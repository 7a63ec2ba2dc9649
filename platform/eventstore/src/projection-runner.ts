import { type Context, fromUnknown, newTrace, type Runtime, rootContext, type SoukError } from '@souk/kernel';
import type { Database } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { type Checkpoint, partKey } from './checkpoint.ts';
import { createPartLeases, type LeaseView, type SeenPart } from './checkpoint-lease.ts';
import { createProgress, type Progress } from './consistency.ts';
import type { RecordedEvent } from './event.ts';
import type { EventStore } from './event-store.ts';
import { comparePositions, type Position, START } from './position.ts';
import type { ProjectionDefinition } from './projection.ts';
import { createBell } from './projection-bell.ts';
import { describeFailure } from './projection-failure.ts';
import { type Follower, startFollower } from './projection-follower.ts';
import type { ProjectionOptions } from './projection-options.ts';
import { createFollowerWakeUp } from './projection-wake-up.ts';
import { type Followed, versionOf } from './projection-work.ts';
import { switchTables } from './rebuild.ts';
import { failBuild } from './rebuild-generation.ts';

export interface RunnerInit {
  readonly db: Database;
  readonly store: EventStore;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  readonly options: ProjectionOptions;
  readonly followed: readonly Followed[];
}

/**
 * Keeps parts at work: shares them with other processes of the database, takes over those of the dead, wakes them when something was appended,
 * and switches to rebuilt tables.
 */
export interface Runner {
  readonly progress: Progress;
  readonly followers: ReadonlyMap<string, Follower>;
  /** Something was committed by this process. */
  appended(until: Position): void;
  /** Looks at once at what there is to do. */
  wake(): void;
  start(): Promise<void>;
  /** Ends the work under way and lets others go on. */
  stop(): Promise<void>;
}

/** Longest wait at the stop for a batch, in milliseconds. */
const DRAIN_MS = 8000;
const STATEMENT_MS = 10_000;

const PARKED_LIVE = `
  /* is-parked-live */
  SELECT EXISTS (
    SELECT FROM souk.es_parked p JOIN souk.es_generation g USING (name, generation)
    WHERE p.name = $1 AND g.state = 'live' AND p.stream = $2 AND p.version = $3
  ) AS parked`;

export function createRunner(init: RunnerInit): Runner {
  const { db, store, runtime, telemetry, options } = init;
  const { log, metrics } = telemetry;
  const byName = new Map(init.followed.map((one) => [one.name, one]));
  const names = [...byName.keys()];
  const leases = createPartLeases({ db, runtime, leaseMs: options.leaseMs });
  const followers = new Map<string, Follower>();
  const lost = new Set<string>();
  const leaving = new Map<string, Promise<void>>();
  let switching: Promise<void> | undefined;
  const bell = createBell(runtime.timers);
  const closing = new AbortController();
  const counter = metrics.counter({
    name: 'souk_projection_events_total',
    help: 'Events that projections and subscriptions have moved past',
    labels: ['projection'],
  });
  let view: LeaseView = { members: 1, parts: [] };
  let stopping = false;
  let running: Promise<void> | undefined;

  const context = (timeoutMs: number): Context =>
    rootContext({
      runtime,
      log,
      timeoutMs,
      signal: closing.signal,
      caller: { roles: [], service: telemetry.service },
      trace: newTrace(runtime, false),
    });

  /** Parts that this process may work on: of its own version of the definition. */
  const isOurs = ({ name, version }: SeenPart): boolean => {
    const followed = byName.get(name);
    return followed !== undefined && (versionOf(followed) === version || followed.kind === 'subscription');
  };

  const isHere = (name: string): boolean => {
    const live = view.parts.filter((part) => part.name === name && part.state === 'live');
    return live.length > 0 && live.every((part) => followers.has(partKey(part)));
  };

  const progress = createProgress({
    db,
    runtime,
    context: () => context(STATEMENT_MS),
    isHere,
    hurry: (name, wanted, forMs) => {
      for (const follower of followers.values()) if (follower.part.name === name) follower.hurry(wanted, forMs);
    },
  });

  const news = (until: Position): void => {
    for (const follower of followers.values()) follower.news(until);
  };

  const wakeUp = createFollowerWakeUp({
    db,
    runtime,
    log,
    context: () => context(STATEMENT_MS),
    onAppended: news,
    onFree: () => bell.ring(),
  });

  const isParkedLive = async (ctx: Context, { stream, version }: RecordedEvent, name: string): Promise<boolean> => {
    const { rows } = await db.at(ctx).query<{ parked: boolean }>(PARKED_LIVE, [name, stream, version]);
    return rows[0]?.parked ?? false;
  };

  const buildFailed = async (checkpoint: Checkpoint, error: SoukError): Promise<void> => {
    const { name, generation } = checkpoint;
    log.error('a rebuild failed; the tables in use are as they were', { projection: name, generation, err: error });
    using ctx = context(options.batchMs);
    await failBuild(db, ctx, { name, generation }, describeFailure(error)).catch((thrown: unknown) => {
      log.warn('a failed rebuild could not be ended yet', { projection: name, err: fromUnknown(thrown) });
    });
  };

  const follow = (checkpoint: Checkpoint, seen: SeenPart): void => {
    const followed = byName.get(checkpoint.name) as Followed;
    const { name } = checkpoint;
    const key = partKey(checkpoint);
    const isLive = seen.state === 'live';
    const { position: _, ...part } = checkpoint;
    let told = false;
    const follower: Follower = startFollower({
      db,
      store,
      runtime,
      log,
      options,
      followed,
      part: { ...part, building: !isLive },
      at: checkpoint,
      context,
      isWatched: () => view.members > 1,
      onMoved: (events) => {
        if (events > 0) counter.add(events, { projection: name });
        if (isLive) progress.note(name, checkpoint, follower.seen);
        if (isLive || !follower.caughtUp || told) return;
        told = true;
        bell.ring();
      },
      onLost: () => {
        lost.add(key);
        bell.ring();
      },
      onBuildFailed: (error) => buildFailed(checkpoint, error),
      isParkedLive: (ctx, event) => isParkedLive(ctx, event, name),
    });
    followers.set(key, follower);
  };

  /** Ends what is under way, however long it takes; until then the part is ours. */
  const letGo = (follower: Follower): Promise<void> => {
    const key = partKey(follower.part);
    const going = leaving.get(key) ?? handOver(key, follower);
    leaving.set(key, going);
    return going;
  };

  const handOver = async (key: string, follower: Follower): Promise<void> => {
    await follower.stop();
    try {
      using ctx = rootContext({ runtime, log, timeoutMs: STATEMENT_MS, trace: newTrace(runtime, false) });
      await leases.release(ctx, [follower.part]);
      if (!stopping) await wakeUp.tellFree();
    } catch (thrown) {
      log.warn('a part of a projection was not handed over; others take it soon', { err: fromUnknown(thrown) });
    }
    followers.delete(key);
    leaving.delete(key);
  };

  /** An even share for each process; what nobody has is taken, what is too much is given back. */
  const share = async (ctx: Context): Promise<void> => {
    for (const key of lost) followers.delete(key);
    lost.clear();
    const ours = view.parts.filter(isOurs);
    const mine = new Map(ours.map((part) => [partKey(part), part]));
    const gone = [...followers].filter(
      ([key, { part }]) => !mine.get(key)?.mine || mine.get(key)?.fence !== part.fence,
    );
    for (const [key, follower] of gone) {
      followers.delete(key);
      void follower.stop();
    }
    const fair = Math.ceil(ours.length / view.members);
    for (const follower of [...followers.values()].slice(fair)) void letGo(follower);
    const free = ours.filter((part) => !followers.has(partKey(part)) && (part.free || part.mine));
    const own = free.filter(({ mine: isMine }) => isMine);
    // Held by us and not worked on: let go of first, so that taking it raises the fence.
    if (own.length > 0) await leases.release(ctx, own);
    for (const checkpoint of await leases.acquire(ctx, free, fair - followers.size)) {
      const seen = mine.get(partKey(checkpoint));
      if (seen !== undefined) follow(checkpoint, seen);
    }
  };

  const switchBuilt = async (followed: ProjectionDefinition): Promise<void> => {
    try {
      using ctx = context(options.batchMs);
      if (!(await switchTables(db, ctx, store, followed, options))) return;
      log.info('rebuilt tables are in use', { projection: followed.name });
      bell.ring();
    } catch (thrown) {
      log.warn('rebuilt tables cannot be switched to yet', { projection: followed.name, err: fromUnknown(thrown) });
    } finally {
      switching = undefined;
    }
  };

  /** One at a time, and beside the keeper: it may have to wait for readers. */
  const switchWhatIsReady = (): void => {
    for (const followed of byName.values()) {
      if (switching !== undefined || followed.kind !== 'projection') continue;
      const building = view.parts.filter(({ name, state }) => name === followed.name && state === 'building');
      const isReady = building.length > 0 && building.every((part) => isOurs(part) && part.caughtUp);
      if (isReady) switching = switchBuilt(followed);
    }
  };

  const turn = async (): Promise<void> => {
    using ctx = context(options.batchMs);
    const [head] = await Promise.all([
      store.headPosition(db.at(ctx)),
      leases.renew(ctx, names).then((seen) => {
        view = seen;
      }),
    ]);
    for (const part of view.parts) if (part.state === 'live') progress.note(part.name, part, part.position);
    if (view.members > 1) wakeUp.listen();
    await share(ctx);
    switchWhatIsReady();
    for (const follower of followers.values()) follower.tick(head);
  };

  const run = async (): Promise<void> => {
    while (!stopping) {
      try {
        await turn();
      } catch (thrown) {
        if (!stopping) log.warn('cannot look after projections; it is tried again', { err: fromUnknown(thrown) });
      }
      if (!stopping) await bell.rest(options.leaseMs / 3);
    }
  };

  return {
    progress,
    followers,
    appended: (until) => {
      news(until);
      if (view.members > 1 && comparePositions(until, START) > 0) wakeUp.tell(until);
    },
    wake: () => bell.ring(),
    start: async () => {
      running ??= run();
    },
    stop: async () => {
      stopping = true;
      bell.ring();
      const drain = runtime.timers.after(DRAIN_MS, () => closing.abort());
      try {
        await running;
        await switching;
        await Promise.all([...followers.values()].map(letGo));
        using ctx = rootContext({ runtime, log, timeoutMs: STATEMENT_MS, trace: newTrace(runtime, false) });
        if (running !== undefined) await leases.leave(ctx);
        if (view.members > 1) await wakeUp.tellFree();
      } catch (thrown) {
        log.warn('parts of projections were not handed over; others take them soon', { err: fromUnknown(thrown) });
      } finally {
        drain.cancel();
        await wakeUp.close();
      }
    },
  };
}
