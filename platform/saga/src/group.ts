import type { Context } from '@souk/kernel';
import { attempt } from './attempt.ts';
import { backoffMs } from './backoff.ts';
import type { AnyStep, SagaFailure } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { isCommitted, judgeStep, turn } from './machine.ts';
import { recordError } from './outcome.ts';
import type { SagaHandle } from './saga-handle.ts';
import { call, measured, pause, type RunnerEnv, SHORT_PAUSE_MS } from './step.ts';

/** What the steps of a group decide together. */
interface Group {
  /** Why the saga turns back. The first failure counts. */
  turned: SagaFailure | undefined;
  stuck: SagaFailure | undefined;
  /** Ends attempts and pauses of the siblings once the saga turns back or its worker must stop. */
  readonly over: AbortController;
}

/**
 * Runs the open steps of a group at the same time and waits for all of them.
 *
 * @returns when to come back, in milliseconds since 1970; undefined when there is something to do now
 */
export async function runGroup(
  ctx: Context,
  handle: SagaHandle,
  env: RunnerEnv,
  steps: readonly AnyStep[],
): Promise<number | undefined> {
  const { clock, timers } = env.runtime;
  const over = new AbortController();
  const group: Group = { turned: undefined, stuck: undefined, over };
  const onAbort = (): void => over.abort(env.abort.reason);
  if (env.abort.aborted) onAbort();
  env.abort.addEventListener('abort', onAbort, { once: true });

  const onDeadline = (): void => {
    if (isCommitted(handle.definition, handle.state) || handle.state.phase !== 'forward') return;
    const { code, reason, message } = sagaErrors.DEADLINE_EXCEEDED();
    turnBack(group, { step: steps[0]?.name ?? '', code, reason, message });
  };
  const leftMs = handle.state.deadlineAt - clock.now();
  // A pivot that is under way decides by itself: aborting it would only put it in doubt.
  const pivot = steps.some((step) => step.kind === 'pivot');
  if (leftMs <= 0) onDeadline();
  const deadline = leftMs > 0 && !pivot ? timers.after(leftMs, onDeadline) : undefined;

  try {
    // allSettled: a lost saga must not leave siblings running behind its back.
    const settled = await Promise.allSettled(steps.map((step) => runStep(ctx, handle, env, group, step)));
    for (const result of settled) if (result.status === 'rejected') throw result.reason;
  } finally {
    deadline?.cancel();
    env.abort.removeEventListener('abort', onAbort);
  }

  if (group.stuck !== undefined && group.turned === undefined) {
    handle.note({ kind: 'STUCK', failure: group.stuck });
    await handle.flush();
  } else if (group.turned !== undefined && handle.state.phase === 'forward') {
    handle.note(turn(handle.definition, handle.state, group.turned, clock.now()));
    await handle.flush();
  } else {
    const open = steps.filter((step) => !handle.state.done.includes(step.name));
    if (open.length === 0) return undefined;
    const retryAt = Math.min(...open.map((step) => handle.state.retryAt[step.name] ?? 0));
    return isCommitted(handle.definition, handle.state) ? retryAt : Math.min(retryAt, handle.state.deadlineAt);
  }
  return undefined;
}

/** Repeats one step until it is done, the group is over, or its next attempt is far away. */
async function runStep(ctx: Context, handle: SagaHandle, env: RunnerEnv, group: Group, step: AnyStep): Promise<void> {
  const { clock, random } = env.runtime;
  const { definition, id: sagaId } = handle;
  const { name } = step;
  const { signal } = group.over;
  for (;;) {
    const waitMs = (handle.state.retryAt[name] ?? 0) - clock.now();
    if (waitMs > SHORT_PAUSE_MS) return;
    if (waitMs > 0) await pause(env, waitMs, AbortSignal.any([signal, env.stopping]));
    if (signal.aborted || env.stopping.aborted || group.stuck !== undefined) return;

    const number = (handle.state.failedAttempts[name] ?? 0) + 1;
    const { input, results } = handle.state;
    const options = { name, key: `${sagaId}/${name}`, timeoutMs: step.timeoutMs, signal };
    const outcome = await measured(ctx, handle, env, name, number, (stepCtx) =>
      attempt(stepCtx, options, (c) => call(step.run, c, { sagaId, input, results, attempt: number }, env.deps)),
    );

    if (outcome.is === 'done') {
      handle.note({ kind: 'STEP_DONE', step: name, attempt: number, result: outcome.result });
      // A read that found nothing to hand on may be done again after a crash: its record goes with the next one.
      const canWait = step.kind === 'read' && outcome.result === undefined;
      return group.turned === undefined && !canWait ? handle.flush() : undefined;
    }
    const error = recordError(outcome.error);
    const { aborted } = signal;
    const delayMs = aborted ? 0 : Math.max(outcome.afterMs, backoffMs(random, number, step.retry));
    const retryAt = clock.now() + delayMs;
    handle.note({ kind: 'STEP_FAILED', step: name, attempt: number, outcome: outcome.is, error, retryAt });
    if (aborted) return;
    const verdict = judgeStep(definition, handle.state, step, number, outcome.is);
    if (verdict === 'turn') return turnBack(group, { step: name, ...error });
    if (verdict === 'stuck') {
      group.stuck ??= { step: name, ...error };
      return;
    }
  }
}

function turnBack(group: Group, failure: SagaFailure): void {
  group.turned ??= failure;
  group.over.abort();
}
