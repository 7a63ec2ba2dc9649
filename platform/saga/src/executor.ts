import { type Context, fromUnknown, hasReason, newTrace, type Runtime } from '@souk/kernel';
import type { Span } from '@souk/telemetry';
import type { AnyDefinition } from './definition.ts';
import { sagaErrors } from './errors.ts';
import type { JournalRecord } from './journal.ts';
import { fold, interrupted, shapeOf } from './machine.ts';
import { runSaga } from './runner.ts';
import { createSagaHandle } from './saga-handle.ts';
import type { SagaTelemetry } from './saga-telemetry.ts';
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
}

/** Runs sagas, at most `concurrency` at once; what comes beyond waits in line. */
export interface Executor {
  /** Sagas that run or stand in line: id and epoch. */
  readonly active: ReadonlyMap<string, number>;
  readonly free: number;
  run(session: WorkerLease, owned: Owned): void;
  /** Begins nothing more and lets go of what can be let go. */
  stop(): void;
  /** Aborts what still runs. */
  abort(): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

export function createExecutor(options: {
  readonly root: Context;
  readonly runtime: Runtime;
  readonly telemetry: SagaTelemetry;
  readonly deps: () => unknown;
  readonly concurrency: number;
  readonly maxClaims: number;
  /** Called when a place became free. */
  readonly onFree: () => void;
}): Executor {
  const { root, runtime, telemetry } = options;
  const active = new Map<string, number>();
  const line: (() => void)[] = [];
  const stopping = new AbortController();
  const aborting = new AbortController();
  const waiters: (() => void)[] = [];
  let running = 0;

  const execute = async (session: WorkerLease, owned: Owned): Promise<void> => {
    const { id, definition, epoch } = owned;
    const handle = createSagaHandle({
      id,
      definition,
      epoch,
      seq: owned.records.length,
      state: fold(definition, owned.records),
      writer: session.writer,
    });
    const started = owned.records[0];
    const ctx = root.with({ trace: newTrace(runtime, true) });
    const trace = started?.kind === 'STARTED' ? started.trace : undefined;
    const span: Span = telemetry.beginSaga(ctx, handle, trace);
    try {
      const problem = problemOf(owned, options.maxClaims);
      if (problem !== undefined) {
        const { code, reason, message } = problem;
        handle.note({ kind: 'STUCK', failure: { step: '', code, reason, message } });
        await handle.flush();
        return;
      }
      if (owned.interrupted)
        for (const record of interrupted(definition, handle.state, runtime.clock.now())) handle.note(record);
      const abort = AbortSignal.any([aborting.signal, session.over]);
      const env = { runtime, telemetry, deps: options.deps(), stopping: stopping.signal, abort };
      await runSaga(ctx.with({ trace: span.trace }), handle, env);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      span.fail(error);
      // Whoever owns it now, or will after the audit, goes on from the journal.
      if (!hasReason(error, 'SAGA_OWNERSHIP_LOST') && !hasReason(error, 'SAGA_STOPPED')) {
        telemetry.log.error('a saga was let go of', { saga: definition.name, saga_id: id, err: error });
      }
    } finally {
      telemetry.endSaga(span, handle, runtime.clock.now());
    }
  };

  const begin = async (session: WorkerLease, owned: Owned): Promise<void> => {
    running++;
    telemetry.running(owned.definition, 1);
    try {
      await execute(session, owned);
    } finally {
      running--;
      telemetry.running(owned.definition, -1);
      if (active.get(owned.id) === owned.epoch) active.delete(owned.id);
      const next = line.shift();
      if (next !== undefined) next();
      else options.onFree();
      if (running === 0) for (const resolve of waiters.splice(0)) resolve();
    }
  };

  return {
    active,
    get free() {
      return options.concurrency - running - line.length;
    },
    run: (session, owned) => {
      active.set(owned.id, owned.epoch);
      if (running < options.concurrency || stopping.signal.aborted) void begin(session, owned);
      else line.push(() => void begin(session, owned));
    },
    stop: () => {
      stopping.abort(sagaErrors.STOPPED());
      for (const next of line.splice(0)) next();
    },
    abort: () => aborting.abort(sagaErrors.STOPPED()),
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}

const problemOf = ({ definition, shape, claims }: Owned, maxClaims: number) => {
  const { name: saga, version } = definition;
  if (shape !== shapeOf(definition)) return sagaErrors.DEFINITION_CHANGED({ saga, version });
  return claims > maxClaims ? sagaErrors.TOO_MANY_CLAIMS({ claims: maxClaims }) : undefined;
};
