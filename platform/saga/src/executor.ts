import { type Context, fromUnknown, hasReason, newTrace, type Runtime, type TraceContext } from '@souk/kernel';
import type { AnyDefinition } from './definition.ts';
import { createEnding } from './ending.ts';
import { sagaErrors } from './errors.ts';
import type { JournalRecord } from './journal.ts';
import { ACTION, fold, interrupted, type MachineState } from './machine.ts';
import { runSaga } from './runner.ts';
import { createSagaHandle } from './saga-handle.ts';
import type { SagaTelemetry } from './saga-telemetry.ts';
import { startOf } from './start.ts';
import { mayBeWanted, type RunnerEnv, reopenForward, type SagaRun } from './step.ts';
import type { SignalRow } from './storage.ts';
import { createWatch } from './watch.ts';
import type { WorkerLease } from './worker-lease.ts';

/** A saga that this worker has just come to own. */
export interface Owned {
  readonly id: string;
  readonly definition: AnyDefinition;
  readonly shape: string;
  readonly epoch: number;
  readonly claims: number;
  readonly interrupted: boolean;
  readonly records: readonly JournalRecord[];
  readonly signals: readonly SignalRow[];
}

/** Runs sagas, at most `concurrency` at once; what comes beyond waits in line. */
export interface Executor {
  /** Sagas that run or stand in line. */
  readonly active: number;
  readonly free: number;
  /** True when this saga runs or stands in line at this epoch. */
  has(id: string, epoch: number): boolean;
  /** True when this saga runs or stands in line. */
  runs(id: string): boolean;
  run(session: WorkerLease, owned: Owned): void;
  /** @returns false when a signal is for a saga that does not run here */
  deliver(signals: readonly SignalRow[]): boolean;
  /** Begins nothing more and lets go of what can be let go. */
  stop(): void;
  /** Aborts what still runs. */
  abort(): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

export interface ExecutorInit {
  readonly root: Context;
  readonly runtime: Runtime;
  readonly telemetry: SagaTelemetry;
  readonly deps: () => unknown;
  readonly concurrency: number;
  readonly maxClaims: number;
  /** Called when a place became free. */
  readonly onFree: () => void;
  /** Called when something was committed that some saga may have waited for. */
  readonly onSent: (signals: readonly SignalRow[], started: boolean) => void;
  /** Called when a saga is let go of, and how it stood then. */
  readonly onLeft: (id: string, state: MachineState) => void;
}

/** A saga that runs here or stands in line. */
interface Active {
  readonly session: WorkerLease;
  readonly owned: Owned;
  run: SagaRun | undefined;
  /** What came before it ran. */
  readonly early: SignalRow[];
}

export function createExecutor(options: ExecutorInit): Executor {
  const { root, runtime, telemetry } = options;
  const active = new Map<string, Active>();
  const line: Active[] = [];
  const stopping = new AbortController();
  const aborting = createEnding();
  const waiters: (() => void)[] = [];
  const watch = createWatch(runtime);
  const envs = new WeakMap<WorkerLease, RunnerEnv>();
  let running = 0;

  /** What all sagas of a lease have in common; when the lease is over, so are their attempts. */
  const envOf = (session: WorkerLease): RunnerEnv => {
    const known = envs.get(session);
    if (known !== undefined) return known;
    const abort = createEnding();
    aborting.onEnd((reason) => abort.end(reason));
    if (aborting.ended) abort.end(aborting.signal.reason);
    const over = (): void => abort.end(session.over.reason);
    if (session.over.aborted) over();
    else session.over.addEventListener('abort', over, { once: true });
    const env: RunnerEnv = {
      runtime,
      telemetry,
      watch,
      deps: options.deps(),
      stopping: stopping.signal,
      abort,
      startOf: (definition, init) => startOf(definition, init, runtime.clock.now()),
    };
    envs.set(session, env);
    return env;
  };

  const execute = async (entry: Active): Promise<MachineState> => {
    const { session, owned } = entry;
    const { id, definition, epoch, records } = owned;
    const env = envOf(session);
    const own = root.with({ trace: newTrace(runtime, true) });
    const span = telemetry.beginSaga(own, definition, id, linksOf(records));
    const handle = createSagaHandle({
      id,
      definition,
      epoch,
      seq: records.length,
      state: fold(definition, records),
      writer: session.writer,
      trace: span.trace,
      onSent: options.onSent,
    });
    const run: SagaRun = {
      ctx: own.with({ trace: span.trace }),
      handle,
      env,
      forward: env.abort,
      offAbort: () => {},
      actions: [],
      onNews: undefined,
    };
    reopenForward(run);
    entry.run = run;
    try {
      const problem = problemOf(owned, options.maxClaims);
      if (problem !== undefined) {
        const { code, reason, message } = problem;
        handle.note({ kind: 'STUCK', failure: { step: '', code, reason, message } });
        await handle.flush();
        return handle.state;
      }
      if (owned.interrupted) noteInterrupted(run, runtime.clock.now());
      for (const signal of [...owned.signals, ...entry.early]) hear(run, signal);
      await runSaga(run);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      span.fail(error);
      // Whoever owns it now, or will after the audit, goes on from the journal.
      if (!hasReason(error, 'SAGA_OWNERSHIP_LOST') && !hasReason(error, 'SAGA_STOPPED')) {
        telemetry.log.error('a saga was let go of', { saga: definition.name, saga_id: id, err: error });
      }
    } finally {
      run.offAbort();
      telemetry.endSaga(span, handle, runtime.clock.now());
    }
    return handle.state;
  };

  const begin = async (entry: Active): Promise<void> => {
    const { id, definition } = entry.owned;
    running++;
    telemetry.running(definition, 1);
    const left = await execute(entry);
    running--;
    telemetry.running(definition, -1);
    if (active.get(id) === entry) active.delete(id);
    const next = line.shift();
    if (next !== undefined) void begin(next);
    else options.onFree();
    options.onLeft(id, left);
    if (running === 0) for (const resolve of waiters.splice(0)) resolve();
  };

  return {
    get active() {
      return active.size;
    },
    get free() {
      return options.concurrency - running - line.length;
    },
    has: (id, epoch) => active.get(id)?.owned.epoch === epoch,
    runs: (id) => active.has(id),
    run: (session, owned) => {
      const entry: Active = { session, owned, run: undefined, early: [] };
      active.set(owned.id, entry);
      if (running < options.concurrency || stopping.signal.aborted) void begin(entry);
      else line.push(entry);
    },
    deliver: (signals) => {
      let all = true;
      for (const signal of signals) {
        const entry = active.get(signal.sagaId);
        if (entry === undefined) all = false;
        else if (entry.run === undefined) entry.early.push(signal);
        else hear(entry.run, signal);
      }
      return all;
    },
    stop: () => {
      stopping.abort(sagaErrors.STOPPED());
      for (const next of line.splice(0)) void begin(next);
    },
    abort: () => aborting.end(sagaErrors.STOPPED()),
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}

function hear(run: SagaRun, signal: SignalRow): void {
  if (signal.name === ACTION) run.actions.push(signal);
  else if (!run.handle.take(signal)) return;
  run.onNews?.();
}

function noteInterrupted({ handle }: SagaRun, nowMs: number): void {
  const { definition, state, id } = handle;
  for (const record of interrupted(definition, state, nowMs, (step) => mayBeWanted(state, id, step)))
    handle.note(record);
}

/** The trace that started the saga, and that of the run that last let go of it. */
function linksOf(records: readonly JournalRecord[]): readonly TraceContext[] {
  const traced = records.flatMap((record) => ('trace' in record && record.trace ? [record.trace] : []));
  const [first, ...rest] = traced;
  const last = rest.at(-1);
  return first === undefined ? [] : last === undefined ? [first] : [first, last];
}

const problemOf = ({ definition, shape, claims }: Owned, maxClaims: number) => {
  const { name: saga, version } = definition;
  if (shape !== definition.shape) return sagaErrors.DEFINITION_CHANGED({ saga, version });
  return claims > maxClaims ? sagaErrors.TOO_MANY_CLAIMS({ claims: maxClaims }) : undefined;
};
