import { type Context, type Runtime, SoukError } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import type { AnyDefinition, AnyStep } from './definition.ts';
import { fromRow, type JournalRow, toRow } from './journal.ts';
import { fold } from './machine.ts';
import type { MachineState } from './machine-state.ts';
import { type ActionRequest, planUnowned } from './plan-action.ts';
import type { SagaStatus } from './sagas.ts';
import { mayBeWanted } from './step.ts';
import type { Lease, LoneStart, SagaStart, SagaStorage, SagaWrite, SignalRow } from './storage.ts';

export interface MemorySaga {
  id: string;
  name: string;
  version: number;
  shape: string;
  status: SagaStatus;
  direction: 'forward' | 'backward';
  owner: string | undefined;
  epoch: number;
  claims: number;
  /** Milliseconds since 1970; Infinity where nothing is to wake it. */
  wakeAt: number;
  step?: string | null;
  errorCode?: string | null;
  errorReason?: string | null;
  readonly journal: JournalRow[];
}

const noAnswer = (): SoukError =>
  new SoukError({
    code: 'unavailable',
    reason: 'STORE_UNAVAILABLE',
    message: 'no answer from the database',
    retry: { kind: 'unknownOutcome' },
  });

/** The storage of the engine as it is specified, in memory; its clock is that of the runtime. */
export function memoryStorage(runtime: Runtime) {
  const sagas = new Map<string, MemorySaga>();
  const workers = new Map<string, { epoch: number; live: boolean; expiresAt: number }>();
  const signals = new Map<string, SignalRow & { taken: boolean }>();
  let commits = 0;
  let onCommit: () => void = () => {};
  /** Decides per call: undefined is well, `before` fails without a trace, `after` fails although it was committed. */
  let fault: () => 'before' | 'after' | undefined = () => undefined;
  const now = () => runtime.clock.now();
  const isLive = (lease: Lease) => {
    const worker = workers.get(lease.workerId);
    return worker?.live === true && worker.epoch === lease.epoch;
  };

  /** A round trip: others run in between, and it may fail on either way. */
  const trip = async <T>(work: () => T): Promise<T> => {
    await runtime.timers.sleep(1);
    const failure = fault();
    if (failure === 'before') throw noAnswer();
    const result = work();
    commits++;
    onCommit();
    await runtime.timers.sleep(1);
    if (failure === 'after') throw noAnswer();
    return result;
  };

  const unseen = (sagaId: string): SignalRow[] =>
    [...signals.values()].filter((row) => row.sagaId === sagaId && !row.taken).map(({ taken: _, ...row }) => row);

  const send = (rows: readonly SignalRow[]): void => {
    for (const row of rows) {
      const key = `${row.sagaId} ${row.name} ${row.signalId}`;
      if (signals.has(key)) continue;
      signals.set(key, { ...row, taken: false });
      const saga = sagas.get(row.sagaId);
      if (saga?.status === 'WAITING') saga.wakeAt = Math.min(saga.wakeAt, now());
    }
  };

  const begin = (start: SagaStart): boolean => {
    if (sagas.has(start.id)) return false;
    const { record, ...rest } = start;
    const owned = start.owner !== undefined;
    const status = owned ? 'RUNNING' : 'READY';
    sagas.set(start.id, { ...rest, status, direction: 'forward', epoch: owned ? 1 : 0, claims: 0, journal: [record] });
    return true;
  };

  const apply = (lease: Lease, write: SagaWrite): boolean => {
    const saga = sagas.get(write.id);
    if (saga === undefined) return false;
    const last = write.base + write.records.length;
    if (write.records.length > 0 && saga.journal.length >= last && saga.epoch === write.epoch) return true;
    if (saga.owner !== lease.workerId || saga.epoch !== write.epoch || saga.journal.length !== write.base) return false;
    saga.journal.push(...write.records);
    saga.status = write.status;
    saga.direction = write.direction;
    saga.step = write.step;
    saga.errorCode = write.errorCode;
    saga.errorReason = write.errorReason;
    if (write.progress) saga.claims = 0;
    if (write.status !== 'RUNNING') saga.owner = undefined;
    if (write.status !== 'RUNNING') saga.wakeAt = write.wake ?? Number.POSITIVE_INFINITY;
    for (const { name, signalId } of write.consumed) {
      const row = signals.get(`${write.id} ${name} ${signalId}`);
      if (row !== undefined) row.taken = true;
    }
    // A signal may have come while the saga was owned, and its owner did not see it before it let go.
    if (write.status === 'WAITING' && unseen(write.id).length > 0) saga.wakeAt = Math.min(saga.wakeAt, now());
    for (const start of write.starts) begin(start);
    send(write.sends);
    return true;
  };

  const storage: SagaStorage = {
    register: (lease, _place, leaseMs) =>
      trip(() => void workers.set(lease.workerId, { epoch: lease.epoch, live: true, expiresAt: now() + leaseMs })),
    neighbours: async () => [],
    takeOver: (ids, nowMs) =>
      trip(() => {
        for (const [id, worker] of workers) {
          if (worker.expiresAt < now() || ids.includes(id)) worker.live = false;
        }
        let freed = 0;
        for (const saga of sagas.values()) {
          if (saga.status !== 'RUNNING' || workers.get(saga.owner ?? '')?.live) continue;
          Object.assign(saga, { status: 'READY', owner: undefined, wakeAt: nowMs });
          freed++;
        }
        return freed;
      }),
    write: (lease, writes, { extendMs, again }) =>
      trip(() => {
        const worker = workers.get(lease.workerId);
        if (!isLive(lease) || worker === undefined) return { live: false, accepted: [] };
        if (extendMs !== undefined) worker.expiresAt = now() + extendMs;
        const parsed = writes.map(({ source }) => JSON.parse(JSON.stringify(source)) as SagaWrite | LoneStart);
        const done = (write: SagaWrite | LoneStart): boolean =>
          'start' in write
            ? begin(write.start) || (again && sagas.get(write.id)?.journal.length === 1)
            : apply(lease, write);
        return { live: true, accepted: parsed.filter(done).map((write) => write.id) };
      }),
    claim: (lease, kinds, nowMs, limit) =>
      trip(() => {
        if (!isLive(lease)) return [];
        const due = [...sagas.values()].filter(
          (saga) =>
            (saga.status === 'READY' || saga.status === 'WAITING') &&
            saga.wakeAt <= nowMs &&
            kinds.includes(`${saga.name}@${saga.version}`),
        );
        return due.slice(0, limit).map((saga) => {
          const interrupted = saga.status === 'READY' && saga.epoch > 0;
          saga.epoch++;
          saga.claims++;
          saga.status = 'RUNNING';
          saga.owner = lease.workerId;
          return { ...saga, interrupted, records: [...saga.journal], signals: unseen(saga.id) };
        });
      }),
    owned: (lease) => trip(() => [...sagas.values()].filter((saga) => saga.owner === lease.workerId)),
    release: (_lease, list, nowMs) =>
      trip(() => {
        for (const { id, epoch } of list) {
          const saga = sagas.get(id);
          if (saga?.epoch === epoch && saga.status === 'RUNNING')
            Object.assign(saga, { status: 'READY', owner: undefined, wakeAt: nowMs });
        }
      }),
    parkOrphans: () => trip(() => 0),
    stuck: () => trip(() => new Map()),
    start: async (_tx, start) => {
      const started = begin(start);
      onCommit();
      return started;
    },
    signal: async (_sql, rows) => {
      send(rows);
      onCommit();
    },
    pendingSignals: (lease) =>
      trip(() =>
        [...sagas.values()].filter((saga) => saga.owner === lease.workerId).flatMap((saga) => unseen(saga.id)),
      ),
  };

  return {
    storage,
    sagas,
    signals,
    workers,
    get commits() {
      return commits;
    },
    failWhen: (decide: typeof fault) => {
      fault = decide;
    },
    /** Called after everything that may have changed a row. */
    onCommit: (run: () => void) => {
      onCommit = run;
    },
    /** What an operator does to a saga that nobody owns. @returns the refusal, if any */
    act: (definition: AnyDefinition, id: string, asked: Omit<ActionRequest, 'sagaId' | 'at'>) => {
      const saga = sagas.get(id) as MemorySaga;
      const state = fold(definition, saga.journal.map(fromRow));
      const lost = saga.status === 'READY' && saga.epoch > 0;
      const wanted = (now: MachineState, step: AnyStep): boolean => mayBeWanted(now, id, step);
      const plan = planUnowned(definition, state, lost, wanted, { ...asked, sagaId: id, at: now() });
      if ('refused' in plan) return plan.refused;
      for (const record of plan.records) saga.journal.push(toRow(record, saga.journal.length + 1));
      const { place } = plan;
      const { status } = place;
      const wakeAt = status === 'READY' || status === 'WAITING' ? now() : Number.POSITIVE_INFINITY;
      Object.assign(saga, { ...place, status, wakeAt, claims: 0 });
      send(plan.sends);
      onCommit();
      return undefined;
    },
    kinds: (id: string) =>
      (sagas.get(id)?.journal ?? [])
        .map(fromRow)
        .map((record) => ('step' in record ? `${record.kind} ${record.step}` : record.kind)),
  };
}

/** A transaction that commits when told. */
export function memoryTx(ctx: Context): Transaction & { commit(): void } {
  const after: (() => void)[] = [];
  return {
    ctx,
    query: <TRow>() => Promise.resolve({ rows: [] as TRow[], rowCount: 0 }),
    defer: () => {},
    script: () => Promise.resolve(),
    afterCommit: (run: () => void) => {
      after.push(run);
    },
    commit: () => {
      for (const run of after.splice(0)) run();
    },
  };
}
