import type { Context } from '@souk/kernel';
import { attempt } from './attempt.ts';
import { backoffMs, UNDO_BACKOFF } from './backoff.ts';
import type { AnyStep } from './definition.ts';
import { judgeUndo, ON_COMPENSATED } from './machine.ts';
import { recordError } from './outcome.ts';
import type { SagaHandle } from './saga-handle.ts';
import { call, measured, type RunnerEnv } from './step.ts';

const CLOSE_TIMEOUT_MS = 10_000;

/**
 * One attempt of an undo, or of the end after all undos. The next begins only when this one is committed. What it returns is not
 * looked at.
 *
 * @returns when to come back, in milliseconds since 1970; undefined when there is something to do now
 */
export async function runBackward(
  ctx: Context,
  handle: SagaHandle,
  env: RunnerEnv,
  next: { readonly is: 'undo'; readonly step: AnyStep } | { readonly is: 'close' },
): Promise<number | undefined> {
  const { definition, state, id: sagaId } = handle;
  const name = next.is === 'undo' ? next.step.name : ON_COMPENSATED;
  const notBefore = state.retryAt[name];
  if (notBefore !== undefined && notBefore > env.runtime.clock.now()) return notBefore;

  const number = (state.failedAttempts[name] ?? 0) + 1;
  const { input, results, failure } = state;
  const outcome = await measured(ctx, handle, env, name, number, (stepCtx) =>
    next.is === 'undo'
      ? attempt(
          stepCtx,
          { name, key: `${sagaId}/${name}/undo`, timeoutMs: next.step.timeoutMs, signal: env.abort },
          async (c) => {
            const undone = { sagaId, input, results, attempt: number, result: results[name] };
            await call(next.step.undo, c, undone, env.deps);
          },
        )
      : attempt(
          stepCtx,
          { name, key: `${sagaId}/${name}`, timeoutMs: CLOSE_TIMEOUT_MS, signal: env.abort },
          async (c) => {
            await call(definition.onCompensated, c, { sagaId, input, failure }, env.deps);
          },
        ),
  );

  if (outcome.is === 'done') {
    if (next.is === 'undo') handle.note({ kind: 'UNDO_DONE', step: name, attempt: number });
    else handle.note({ kind: 'ENDED', status: 'COMPENSATED' });
    await handle.flush();
    return undefined;
  }
  const nowMs = env.runtime.clock.now();
  const retryAt = env.abort.aborted
    ? nowMs
    : nowMs + Math.max(outcome.afterMs, backoffMs(env.runtime.random, number, UNDO_BACKOFF));
  const error = recordError(outcome.error);
  handle.note({ kind: 'UNDO_FAILED', step: name, attempt: number, outcome: outcome.is, error, retryAt });
  if (!env.abort.aborted && judgeUndo(handle.state, number, outcome.is, nowMs) === 'stuck') {
    handle.note({ kind: 'STUCK', failure: { step: name, ...error } });
    await handle.flush();
    return undefined;
  }
  return retryAt;
}
