import { type Context, fromUnknown, type Runtime, rootContext } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import { createSagaAdmin, type SagaAdmin } from './admin.ts';
import { isKebabCase } from './checks.ts';
import { createChores } from './chores.ts';
import type { AnyDefinition, Json, SagaDefinition } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { createExecutor } from './executor.ts';
import { fromRow } from './journal.ts';
import { CANCEL } from './machine.ts';
import type { StuckNotice } from './notices.ts';
import { resolveOptions, type SagaEngineOptions, type SagaEngineSettings } from './options.ts';
import { toJson } from './outcome.ts';
import { postgresStorage } from './postgres-storage.ts';
import { linuxProcesses, type Processes } from './process-place.ts';
import { createSagaTelemetry, type SagaTelemetry } from './saga-telemetry.ts';
import type { SagaStatus, Sagas, StartOptions } from './sagas.ts';
import { startOf } from './start.ts';
import type { SagaStorage, SignalRow } from './storage.ts';
import { findSaga, readJournal } from './timeline.ts';
import { createWaiters } from './waiters.ts';
import { acquireLease, type WorkerLease } from './worker-lease.ts';

export interface SagaEngineInit<TDeps> extends SagaEngineOptions {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** All sagas of the service, every version of which instances may still run. */
  readonly definitions: readonly SagaDefinition<TDeps, never>[];
  /** What the steps get. May be given later, with `bind`. */
  readonly deps?: TDeps;
  /** Tells of every entry of a saga into STUCK, once, in a transaction: publish an event in it. */
  readonly onStuck?: (tx: Transaction, notice: StuckNotice) => Promise<void>;
}

export interface SagaHealth {
  /** `recovering`: the lease was lost, nothing runs, and the engine tries to get a new one. */
  readonly state: 'stopped' | 'live' | 'recovering';
  /** Sagas that run or stand in line in this process. */
  readonly running: number;
}

export interface SagaEngine<TDeps> {
  /** For use cases. Works before `start`: what is started then waits in the database. */
  readonly sagas: Sagas;
  /** For operators. */
  readonly admin: SagaAdmin;
  /** Gives the steps their dependencies, which usually hold `sagas`. Before `start`. */
  bind(deps: TDeps): void;
  /**
   * Takes a lease, takes over from workers that are gone, and begins to work.
   * @throws SAGA_NOT_BOUND; what the database throws when it cannot be reached
   */
  start(): Promise<void>;
  /** Claims nothing more, lets running attempts finish for `drainMs`, aborts the rest, and lets go of all sagas. Safe to call twice. */
  stop(): Promise<void>;
  health(): SagaHealth;
}

/** @throws SAGA_DUPLICATE_DEFINITION, SAGA_INVALID_DEFINITION when the saga of a child is missing */
export function createSagaEngine<TDeps>(init: SagaEngineInit<TDeps>): SagaEngine<TDeps> {
  const { db, runtime } = init;
  const root = engineContext(runtime, init.telemetry);
  const lookUp = async (ctx: Context, id: string) => (await findSaga(db.at(ctx), id))?.status;
  const storage = postgresStorage(db, root);
  const core = createEngineOn({
    ...init,
    storage,
    processes: linuxProcesses(),
    lookUp,
    onStuck: () => chores.onStuck(),
  });
  const { telemetry, settings, definitions } = core;
  const chores = createChores({ db, root, runtime, settings, telemetry, tell: init.onStuck ?? (async () => {}) });
  return {
    sagas: core.sagas,
    admin: createSagaAdmin({ db, runtime, definitions, onActed: core.acted }),
    bind: core.bind,
    start: async () => {
      await core.start();
      chores.start();
    },
    stop: async () => {
      await core.stop();
      await chores.stop();
    },
    health: core.health,
  };
}

const engineContext = (runtime: Runtime, telemetry: Telemetry) =>
  rootContext({ runtime, log: telemetry.log, caller: { roles: [], service: telemetry.service } });

const keyOf = (definition: { readonly name: string; readonly version: number }): string =>
  `${definition.name}@${definition.version}`;

/** The engine without what only a database can do. */
export interface EngineCore<TDeps> extends Omit<SagaEngine<TDeps>, 'admin'> {
  readonly definitions: ReadonlyMap<string, AnyDefinition>;
  readonly settings: SagaEngineSettings;
  readonly telemetry: SagaTelemetry;
  /** An operator has changed sagas, or sent these signals. */
  acted(signals: readonly SignalRow[]): void;
}

/** The engine on any storage. */
export function createEngineOn<TDeps>(
  init: Omit<SagaEngineInit<TDeps>, 'db' | 'onStuck'> & {
    readonly storage: SagaStorage;
    readonly processes: Processes;
    /** How a saga stands that may run anywhere. */
    readonly lookUp: (ctx: Context, id: string) => Promise<SagaStatus | undefined>;
    /** Called when a saga came to be STUCK here. */
    readonly onStuck?: () => void;
  },
): EngineCore<TDeps> {
  const { runtime, storage, processes } = init;
  const { clock, timers } = runtime;
  const settings = resolveOptions(init);
  const definitions = indexDefinitions(init.definitions);
  const kinds = [...definitions.keys()];
  const telemetry = createSagaTelemetry(init.telemetry, [...new Set(init.definitions.map(({ name }) => name))]);
  let bound: { readonly deps: TDeps } | undefined = init.deps === undefined ? undefined : { deps: init.deps };
  let session: WorkerLease | undefined;
  let state: 'new' | 'started' | 'stopping' | 'stopped' = 'new';
  let stopped: Promise<void> | undefined;
  let claiming: Promise<void> | undefined;
  let claimAgain = false;
  let backlog = false;
  let suspects = new Map<string, number>();
  let troubled = false;

  const executor = createExecutor({
    root: engineContext(runtime, init.telemetry),
    runtime,
    telemetry,
    deps: () => bound?.deps,
    concurrency: settings.concurrency,
    maxClaims: settings.maxClaims,
    onFree: () => {
      // A claim for every single place would cost more than the sagas.
      if (backlog && executor.free * 4 >= settings.concurrency) wake();
    },
    onSent: (signals, started) => {
      if (started || !executor.deliver(signals)) wake();
    },
    onLeft: (id, left) => {
      waiters.left(id, left);
      if (left.phase === 'stuck') init.onStuck?.();
    },
  });

  const { pollMs } = settings;
  const waiters = createWaiters({ runtime, pollMs, runs: executor.runs, lookUp: init.lookUp });

  /** Recovery is a loop: what fails now is tried again at its next turn. Said once per outage. */
  const guarded = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      troubled = false;
    } catch (thrown) {
      if (!troubled) telemetry.log.warn('the saga engine could not do its rounds', { what, err: fromUnknown(thrown) });
      troubled = true;
    }
  };

  const register = async (): Promise<void> => {
    const lease = await acquireLease({
      storage,
      runtime,
      settings,
      place: processes.self(),
      kinds,
      onLost: () => {
        session = undefined;
        telemetry.log.warn('the lease of the saga worker was lost', { worker_id: lease.lease.workerId });
      },
    });
    session = lease;
  };

  const claim = async (): Promise<void> => {
    if (session === undefined) await register();
    const current = session;
    const limit = executor.free;
    if (current === undefined || limit <= 0) {
      backlog = true;
      return;
    }
    const claimed = await storage.claim(current.lease, kinds, clock.now(), limit);
    backlog = claimed.length === limit;
    for (const { records, ...saga } of claimed) {
      const definition = definitions.get(keyOf(saga));
      if (definition === undefined || current.over.aborted) continue;
      executor.run(current, { ...saga, definition, records: records.map(fromRow) });
    }
  };

  /** Claims as soon as possible, one claim at a time. */
  const wake = (): void => {
    claimAgain = true;
    if (claiming !== undefined || state !== 'started') return;
    claiming = (async () => {
      while (claimAgain && state === 'started') {
        claimAgain = false;
        await guarded('claim', claim);
      }
      claiming = undefined;
    })();
  };

  /** What other processes said to sagas that run here. */
  const hear = (): Promise<void> =>
    guarded('hear', async () => {
      if (session !== undefined && executor.active > 0) executor.deliver(await storage.pendingSignals(session.lease));
    });

  const takeOver = (): Promise<void> =>
    guarded('take over', async () => {
      if ((await storage.takeOver([], clock.now())) > 0) wake();
      const parked = await storage.parkOrphans(clock.now(), settings.orphanMs);
      if (parked > 0) telemetry.log.error('sagas were parked: nobody has their definition', { sagas: parked });
    });

  /** Each saga owned here also runs here: the answer to a commit may have been lost. Twice seen, so that one just begun is not hit. */
  const audit = (): Promise<void> =>
    guarded('audit', async () => {
      telemetry.stuck(await storage.stuck());
      const current = session;
      if (current === undefined) return;
      const idle = (await storage.owned(current.lease)).filter(({ id, epoch }) => !executor.has(id, epoch));
      const lost = idle.filter(({ id, epoch }) => suspects.get(id) === epoch);
      suspects = new Map(idle.map(({ id, epoch }) => [id, epoch]));
      if (lost.length === 0) return;
      await storage.release(current.lease, lost, clock.now());
      wake();
    });

  /** Neighbours whose process is gone need not be waited for. */
  const takeOverGone = async (): Promise<void> => {
    const { host } = processes.self();
    const neighbours = host === undefined ? [] : await storage.neighbours(host);
    const gone = neighbours.filter((place) => processes.isGone(place)).map(({ workerId }) => workerId);
    await storage.takeOver(gone, clock.now());
  };

  const rounds: { cancel(): void }[] = [];
  const every = (ms: number, round: () => Promise<void> | void): void => {
    let busy = false;
    const timer = timers.every(ms, () => {
      if (busy) return;
      busy = true;
      void Promise.resolve(round()).finally(() => {
        busy = false;
      });
    });
    rounds.push(timer);
  };

  const shutDown = async (): Promise<void> => {
    const running = state === 'started';
    state = 'stopping';
    for (const round of rounds.splice(0)) round.cancel();
    await claiming;
    executor.stop();
    const drain = timers.after(settings.drainMs, () => executor.abort());
    await executor.idle();
    drain.cancel();
    const last = session;
    session = undefined;
    last?.close();
    if (running && last !== undefined) {
      await guarded('leave', async () => void (await storage.takeOver([last.lease.workerId], clock.now())));
    }
    state = 'stopped';
  };

  /** A new saga of a definition that this engine has. */
  const prepare = (
    wanted: { readonly name: string; readonly version: number },
    init: Omit<StartOptions<Json>, 'ctx'>,
    { trace }: Context,
  ) => {
    const { name, version } = wanted;
    const definition = definitions.get(keyOf(wanted));
    if (definition === undefined) throw sagaErrors.UNKNOWN_DEFINITION({ saga: name, version });
    const { id, input, key, tenant } = init;
    // The row is ours only when the lease is: a taker-over frees every saga whose owner is not live, whenever it becomes visible.
    const owner = state === 'started' && executor.free > 0 ? session : undefined;
    const about = { id, input, key, tenant, parent: undefined, trace, owner: owner?.lease.workerId };
    const { start, record } = startOf(definition, about, clock.now());
    const begin = (): void => {
      if (owner === undefined && state === 'started') wake();
      if (owner === undefined || owner !== session) return;
      const { shape } = definition;
      executor.run(owner, {
        id,
        definition,
        shape,
        epoch: 1,
        claims: 0,
        interrupted: false,
        records: [record],
        signals: [],
      });
    };
    return { start, begin };
  };

  const sendSignal = async (tx: Transaction, row: SignalRow): Promise<void> => {
    await storage.signal(tx, [row], clock.now());
    tx.afterCommit(() => {
      if (state === 'started' && !executor.deliver([row])) wake();
    });
  };

  const sagas: Sagas = {
    start: async (tx, wanted, init) => {
      const { start, begin } = prepare(wanted, init, init.ctx);
      if (await storage.start(tx, start)) tx.afterCommit(begin);
    },
    startAlone: async (ctx, wanted, init) => {
      ctx.throwIfDone();
      const current = session;
      if (state !== 'started' || current === undefined) throw sagaErrors.STOPPED();
      const { start, begin } = prepare(wanted, init, ctx);
      const started = await current.writer.start(start);
      if (started) begin();
      return started;
    },
    signal: async (tx, { id, name, signalId, body }) => {
      if (!isKebabCase(name)) throw sagaErrors.SIGNAL_NAME({ name });
      await sendSignal(tx, { sagaId: id, name, signalId, body: toJson(name, body) ?? null });
    },
    cancel: async (tx, id, { reason, actor, actionId = runtime.ids.uuid() }) => {
      if (reason.trim() === '') throw sagaErrors.ACTION_REFUSED({ action: 'cancel', why: 'a reason must be given' });
      await sendSignal(tx, { sagaId: id, name: CANCEL, signalId: actionId, body: { reason, actor } });
    },
    wait: (ctx, id) => waiters.wait(ctx, id),
    find: findSaga,
    journal: readJournal,
  };

  return {
    sagas,
    definitions,
    settings,
    telemetry,
    acted: (signals) => {
      if (state === 'started' && (signals.length === 0 || !executor.deliver(signals))) wake();
    },
    bind: (deps) => {
      bound = { deps };
    },
    start: async () => {
      if (bound === undefined) throw sagaErrors.NOT_BOUND();
      await register();
      await takeOverGone();
      state = 'started';
      every(settings.pollMs, wake);
      every(settings.pollMs, hear);
      every(settings.takeOverMs, takeOver);
      every(settings.auditMs, audit);
      wake();
    },
    stop: () => {
      stopped ??= shutDown();
      return stopped;
    },
    health: () => ({
      state: state !== 'started' ? 'stopped' : session === undefined ? 'recovering' : 'live',
      running: executor.active,
    }),
  };
}

function indexDefinitions<TDeps>(list: readonly SagaDefinition<TDeps, never>[]): ReadonlyMap<string, AnyDefinition> {
  const definitions = new Map<string, AnyDefinition>();
  for (const definition of list) {
    const key = keyOf(definition);
    if (definitions.has(key))
      throw sagaErrors.DUPLICATE_DEFINITION({ saga: definition.name, version: definition.version });
    definitions.set(key, definition as unknown as AnyDefinition);
  }
  for (const definition of definitions.values()) {
    for (const { name: step, work } of definition.steps.values()) {
      if (work.is !== 'child' || definitions.get(keyOf(work.saga)) === work.saga) continue;
      const why = `step ${step}: its child ${keyOf(work.saga)} is not declared to the same engine`;
      throw sagaErrors.INVALID_DEFINITION({ saga: definition.name, why });
    }
  }
  return definitions;
}
