import { backoffMs, UNDO_BACKOFF } from './backoff.ts';
import type { AnyStep } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { failureOf } from './group-state.ts';
import { CANCEL, inputOf, judgeUndo, keyOf, ON_COMPENSATED } from './machine.ts';
import { type Outcome, recordError } from './outcome.ts';
import { call, measured, NO_TIME, type SagaRun } from './step.ts';

const CLOSE_TIMEOUT_MS = 10_000;

/**
 * One attempt of an undo, or of the end after all undos. The next begins only when this one is committed. What it returns is not
 * looked at.
 *
 * @param step undefined for `onCompensated`
 * @returns when to come back, in milliseconds since 1970; undefined when there is something to do now
 */
export async function runBackward(run: SagaRun, step: AnyStep | undefined): Promise<number | undefined> {
  const { handle, env } = run;
  const { definition, state } = handle;
  const { clock, random } = env.runtime;
  const name = step?.name ?? ON_COMPENSATED;
  const notBefore = state.retryAt[name];
  if (notBefore !== undefined && notBefore > clock.now()) return notBefore;

  const number = (state.failedAttempts[name] ?? 0) + 1;
  const outcome = step === undefined ? await close(run, number) : await undo(run, step, number);
  if (outcome.is === 'done') {
    handle.note(
      step === undefined
        ? { kind: 'ENDED', status: 'COMPENSATED' }
        : { kind: 'UNDO_DONE', step: name, attempt: number },
    );
    await handle.flush();
    return undefined;
  }
  const at = clock.now();
  const { ended } = env.abort;
  const delayMs = ended ? 0 : Math.max(outcome.afterMs, backoffMs(random, number, step?.undoRetry ?? UNDO_BACKOFF));
  const error = recordError(outcome.error);
  const failed = { attempt: number, outcome: outcome.is, error, retryAt: at + delayMs };
  handle.note({ kind: 'UNDO_FAILED', step: name, ...failed, at });
  if (ended || judgeUndo(handle.state, step, name, failed, at) === 'repeat') return failed.retryAt;
  const failure = { step: name, ...error };
  const goesOn = step !== undefined && definition.compensation.onUndoFailure === 'continue';
  handle.note(goesOn ? { kind: 'UNDO_GIVEN_UP', step: name, failure } : { kind: 'STUCK', failure });
  await handle.flush();
  return undefined;
}

function undo(run: SagaRun, step: AnyStep, attempt: number): Promise<Outcome> {
  const { handle, env } = run;
  const { id: sagaId, state } = handle;
  const { name, timeoutMs } = step;
  const { results } = state;
  const about = { sagaId, input: inputOf(state, name), results, attempt, result: results[name] };
  const limits = { key: `${keyOf(state, sagaId, name)}/undo`, timeoutMs, ending: env.abort };
  return measured(run, name, attempt, limits, async (ctx) => {
    await call(step.undo, ctx, about, env.deps);
  });
}

function close(run: SagaRun, attempt: number): Promise<Outcome> {
  const { handle, env } = run;
  const { definition, id: sagaId, state } = handle;
  const about = { sagaId, input: state.input, failure: state.failure };
  const limits = { key: `${sagaId}/${ON_COMPENSATED}`, timeoutMs: CLOSE_TIMEOUT_MS, ending: env.abort };
  return measured(run, ON_COMPENSATED, attempt, limits, async (ctx) => {
    await call(definition.onCompensated, ctx, about, env.deps);
  });
}

/** Asks the children that still run to turn back too. Their ends come as signals. */
export function cancelChildren({ handle }: SagaRun, steps: readonly string[]): number {
  for (const step of steps) {
    const wait = handle.state.waits[step];
    if (wait?.child === undefined || wait.cancelled) continue;
    const { child } = wait;
    const { reason } = failureOf(step, sagaErrors.PARENT_TURNED());
    handle.send(
      { kind: 'WAITING', step, until: null, child, cancelled: true },
      { sagaId: child, name: CANCEL, signalId: `${handle.id}/turned`, body: { actor: `saga ${handle.id}`, reason } },
    );
  }
  return NO_TIME;
}
