import { fromUnknown } from '@souk/kernel';
import type { AnyStep } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { failureOf, type Group, passDeadline } from './group-state.ts';
import { isCommitted, needsCommitBefore, openSteps, turn } from './machine.ts';
import { runStep } from './run-step.ts';
import { isWanted, NO_TIME, type SagaRun } from './step.ts';
import { arrange } from './wait.ts';

/**
 * Runs the open steps of a group at the same time and waits for all attempts.
 *
 * @returns when to come back, in milliseconds since 1970; undefined when there is something to do now
 */
export async function runGroup(run: SagaRun, steps: readonly AnyStep[]): Promise<number | undefined> {
  const { handle, env } = run;
  const { clock } = env.runtime;
  const { owed } = handle;
  if (owed !== 'nothing' && steps.some((step) => needsCommitBefore(step, owed))) await handle.flush();
  const group: Group = { turned: undefined, stuck: undefined, held: false };
  // A pivot that is under way decides by itself: aborting it would only put it in doubt.
  const pivot = steps.some((step) => step.kind === 'pivot');

  const leftMs = handle.state.deadlineAt - clock.now();
  if (leftMs <= 0) passDeadline(run, group);
  const offDeadline = pivot ? undefined : env.watch.at(clock.monotonicMs() + leftMs, () => passDeadline(run, group));
  run.onNews = () => hearNews(run, group, steps, pivot);
  try {
    const attempts = begin(run, group, steps);
    // What is waited for beside them begins now, not when they are done.
    if (attempts.length > 0 && attempts.length < steps.length) attempts.push(handle.flush());
    if (attempts.length === 1) await attempts[0];
    else if (attempts.length > 1) {
      // allSettled: a lost saga must not leave siblings running behind its back.
      for (const result of await Promise.allSettled(attempts)) if (result.status === 'rejected') throw result.reason;
    }
  } finally {
    offDeadline?.();
    run.onNews = undefined;
  }

  if (group.stuck !== undefined && group.turned === undefined) {
    handle.note({ kind: 'STUCK', failure: group.stuck });
    await handle.flush();
  } else if (group.turned !== undefined && handle.state.phase === 'forward') {
    handle.note(turn(handle.definition, handle.state, group.turned));
    await handle.flush();
  } else if (!group.held) return comeBackAt(run, steps);
  return undefined;
}

/** Begins what is open, in the order of declaration. @returns the attempts that run */
function begin(run: SagaRun, group: Group, steps: readonly AnyStep[]): Promise<void>[] {
  const { handle } = run;
  const attempts: Promise<void>[] = [];
  for (const step of steps) {
    if (group.turned !== undefined || group.stuck !== undefined) break;
    try {
      if (!isWanted(handle.state, handle.id, step)) handle.note({ kind: 'SKIPPED', step: step.name });
      else if (step.work.is === 'run') attempts.push(runStep(run, group, step, step.work));
      else arrange(run, group, step, step.work);
    } catch (thrown) {
      // What a definition computes from the journal computes the same the next time.
      group.stuck = failureOf(step.name, fromUnknown(thrown));
    }
  }
  return attempts;
}

function hearNews(run: SagaRun, group: Group, steps: readonly AnyStep[], pivot: boolean): void {
  const { handle, forward, actions } = run;
  const { state, definition } = handle;
  if (actions.length > 0) {
    group.held = true;
    if (actions.some(({ body }) => (body as { action?: string }).action === 'terminate'))
      forward.end(sagaErrors.STOPPED());
  }
  if (state.cancel !== undefined && !isCommitted(definition, state)) {
    group.held = true;
    if (!pivot) forward.end(sagaErrors.CANCELLED());
  }
  for (const step of steps) {
    if (step.work.is === 'child' && step.name in state.childEnds) arrange(run, group, step, step.work);
  }
}

/** @returns when the first of the open steps has something to do; undefined when one of them is done by now */
function comeBackAt(run: SagaRun, steps: readonly AnyStep[]): number | undefined {
  const { state, definition } = run.handle;
  const open = openSteps(definition, state);
  if (open.length === 0 || open[0] === undefined || !steps.includes(open[0])) return undefined;
  let at = isCommitted(definition, state) ? NO_TIME : state.deadlineAt;
  for (const { name } of open) {
    const wait = state.waits[name];
    at = Math.min(at, wait === undefined ? (state.retryAt[name] ?? 0) : (wait.until ?? NO_TIME));
  }
  return at;
}
