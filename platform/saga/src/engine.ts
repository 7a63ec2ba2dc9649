import { fromUnknown, type Runtime, rootContext } from '@souk/kernel';
import type { Database } from '@souk/store';
import type { Telemetry } from '@souk/telemetry';
import type { AnyDefinition, SagaDefinition } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { createExecutor } from './executor.ts';
import { fromRow, type JournalRecord, toRow } from './journal.ts';
import { shapeOf } from './machine.ts';
import { resolveOptions, type SagaEngineOptions } from './options.ts';
import { toJson } from './outcome.ts';
import { postgresStorage } from './postgres-storage.ts';
import { linuxProcesses, type Processes } from './process-place.ts';
import { createSagaTelemetry } from './saga-telemetry.ts';
import type { Sagas } from './sagas.ts';
import type { SagaStorage } from './storage.ts';
import { findSaga, readJournal } from './timeline.ts';
import { acquireLease, type WorkerLease } from './worker-lease.ts';

export interface SagaEngineInit<TDeps> extends SagaEngineOptions {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly telemetry: Telemetry;
  /** All sagas of the service, every version of which instances may still run. */
  readonly definitions: readonly SagaDefinition<TDeps, never>[];
  /** What the steps get. May be given later, with `bind`. */
  readonly deps?: TDeps;
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

/** @throws SAGA_DUPLICATE_DEFINITION */
export function createSagaEngine<TDeps>(init: SagaEngineInit<TDeps>): SagaEngine<TDeps> {
  const root = engineContext(init.runtime, init.telemetry);
  return createEngineOn({ ...init, storage: postgresStorage(init.db, root), processes: linuxProcesses() });
}

const engineContext = (runtime: Runtime, telemetry: Telemetry) =>
  rootContext({ runtime, log: telemetry.log, caller: { roles: [], service: telemetry.service } });

const keyOf = (definition: { readonly name: string; readonly version: number }): string =>
  `${definition.name}@${definition.version}`;

/** The engine on any storage. */
export function createEngineOn<TDeps>(
  init: Omit<SagaEngineInit<TDeps>, 'db'> & { readonly storage: SagaStorage; readonly processes: Processes },
): SagaEngine<TDeps> {
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
  });

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

  const takeOver = (): Promise<void> =>
    guarded('take over', async () => {
      if ((await storage.takeOver([], clock.now())) > 0) wake();
    });

  /** Each saga owned here also runs here: the answer to a commit may have been lost. Twice seen, so that one just begun is not hit. */
  const audit = (): Promise<void> =>
    guarded('audit', async () => {
      telemetry.stuck(await storage.stuck());
      const current = session;
      if (current === undefined) return;
      const idle = (await storage.owned(current.lease)).filter(({ id, epoch }) => executor.active.get(id) !== epoch);
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

  const sagas: Sagas = {
    start: async (tx, wanted, { id, input, ctx }) => {
      const { name, version } = wanted;
      const definition = definitions.get(keyOf(wanted));
      if (definition === undefined) throw sagaErrors.UNKNOWN_DEFINITION({ saga: name, version });
      const at = clock.now();
      const record: JournalRecord = {
        kind: 'STARTED',
        input: toJson(name, input) ?? null,
        at,
        deadlineAt: at + definition.deadlineMs,
        trace: ctx.trace,
      };
      // The row is ours only when the lease is: a taker-over frees every saga whose owner is not live, whenever it becomes visible.
      const owner = state === 'started' && executor.free > 0 ? session : undefined;
      const shape = shapeOf(definition);
      const row = { id, name, version, shape, owner: owner?.lease.workerId, wakeAt: at, record: toRow(record, 1) };
      if (!(await storage.start(tx, row))) return;
      tx.afterCommit(() => {
        if (owner === undefined) return state === 'started' ? wake() : undefined;
        if (owner !== session) return;
        executor.run(owner, { id, definition, shape, epoch: 1, claims: 0, interrupted: false, records: [record] });
      });
    },
    find: findSaga,
    journal: readJournal,
  };

  return {
    sagas,
    bind: (deps) => {
      bound = { deps };
    },
    start: async () => {
      if (bound === undefined) throw sagaErrors.NOT_BOUND();
      await register();
      await takeOverGone();
      state = 'started';
      every(settings.pollMs, wake);
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
      running: executor.active.size,
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
  return definitions;
}
