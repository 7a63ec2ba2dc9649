import { backoffMs } from './backoff.ts';
import type { AnyStep, StepWorkRun } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { type Group, passDeadline, turnBack } from './group-state.ts';
import { inputOf, isCommitted, judgeStep, keyOf } from './machine.ts';
import { type Outcome, recordError } from './outcome.ts';
import { call, measured, pause, type SagaRun, SHORT_PAUSE_MS } from './step.ts';

/** Repeats one step until it is done, the group is over, or its next attempt is far away. */
export async function runStep(
  run: SagaRun,
  group: Group,
  step: AnyStep,
  work: StepWorkRun<never, never>,
): Promise<void> {
  const { handle, env, forward } = run;
  const { clock, random } = env.runtime;
  const { definition } = handle;
  const { name } = step;
  for (;;) {
    const retryAt = handle.state.retryAt[name];
    if (retryAt !== undefined) {
      const waitMs = retryAt - clock.now();
      if (waitMs > SHORT_PAUSE_MS) return;
      if (waitMs > 0) await pause(env, waitMs, AbortSignal.any([forward.signal, env.stopping]));
      if (clock.now() >= handle.state.deadlineAt) passDeadline(run, group);
      group.held ||= handle.state.cancel !== undefined && !isCommitted(definition, handle.state);
    }
    if (forward.ended || env.stopping.aborted || group.stuck !== undefined || group.held) return;

    const number = (handle.state.failedAttempts[name] ?? 0) + 1;
    // A pivot that may have happened is asked about before it is tried again.
    const resolving = work.resolve !== undefined && handle.state.inDoubt.includes(name);
    const outcome = resolving ? await resolve(run, step, work, number) : await perform(run, step, work, number);
    if (outcome === 'not-done') {
      handle.note({ kind: 'NOT_DONE', step: name, attempt: number });
      if (number < step.retry.attempts) continue;
      const error = handle.state.error ?? recordError(sagaErrors.OUTCOME_UNKNOWN());
      return turnBack(run, group, { step: name, ...error });
    }
    if (outcome.is === 'done') {
      handle.note({ kind: 'STEP_DONE', step: name, attempt: number, result: outcome.result });
      // A read that found nothing to hand on may be done again after a crash: its record goes with the next one.
      const canWait = step.kind === 'read' && outcome.result === undefined;
      return group.turned === undefined && !canWait ? handle.flush() : undefined;
    }
    const error = recordError(outcome.error);
    const { ended } = forward;
    const at = clock.now();
    const delayMs = ended ? 0 : Math.max(outcome.afterMs, backoffMs(random, number, step.retry));
    const failed = { attempt: number, outcome: outcome.is, error, retryAt: at + delayMs };
    handle.note({ kind: 'STEP_FAILED', step: name, ...failed, at });
    if (ended) return;
    const verdict = judgeStep(definition, handle.state, step, failed);
    if (verdict === 'turn') return turnBack(run, group, { step: name, ...error });
    if (verdict === 'stuck') {
      group.stuck ??= { step: name, ...error };
      return;
    }
  }
}

function perform(run: SagaRun, step: AnyStep, work: StepWorkRun<never, never>, attempt: number): Promise<Outcome> {
  const { handle, env, forward } = run;
  const { id: sagaId, state } = handle;
  const { name, timeoutMs } = step;
  const about = { sagaId, input: inputOf(state, name), results: state.results, attempt };
  const limits = { key: keyOf(state, sagaId, name), timeoutMs, ending: forward };
  return measured(run, name, attempt, limits, (ctx) => call(work.run, ctx, about, env.deps));
}

/** Asks what became of a pivot. Whatever goes wrong here leaves it unknown. */
async function resolve(
  run: SagaRun,
  step: AnyStep,
  work: StepWorkRun<never, never>,
  attempt: number,
): Promise<Outcome | 'not-done'> {
  const { handle, env, forward } = run;
  const { id: sagaId, state } = handle;
  const { name, timeoutMs } = step;
  const about = { sagaId, input: inputOf(state, name), results: state.results, attempt };
  const limits = { key: keyOf(state, sagaId, name), timeoutMs, ending: forward };
  const outcome = await measured(run, name, attempt, limits, (ctx) => call(work.resolve, ctx, about, env.deps));
  if (outcome.is === 'review' || outcome.is === 'defect') return outcome;
  if (outcome.is !== 'done') return { is: 'unknown', error: outcome.error, afterMs: outcome.afterMs };
  const { result } = outcome;
  if (result === 'not-done') return 'not-done';
  if (result === 'done') return { is: 'done', result: undefined };
  if (typeof result === 'object' && result !== null && 'done' in result) return { is: 'done', result: result.done };
  return { is: 'unknown', error: sagaErrors.OUTCOME_UNKNOWN(), afterMs: 0 };
}
