import { cancelChildren, runBackward } from './backward.ts';
import { sagaErrors } from './errors.ts';
import { runGroup } from './group.ts';
import type { ActionName } from './journal.ts';
import { decide } from './machine.ts';
import { type ActionRequest, planAction, refusedAction } from './plan-action.ts';
import { pause, reopenForward, type SagaRun, SHORT_PAUSE_MS } from './step.ts';

/**
 * Runs a saga until it ends, is stuck, waits long, or is let go because the engine stops.
 *
 * @throws SAGA_OWNERSHIP_LOST, SAGA_STOPPED
 */
export async function runSaga(run: SagaRun): Promise<void> {
  const { handle, env } = run;
  const { clock } = env.runtime;
  for (;;) {
    // An action that came while it was let go of is for whoever owns it next.
    if (!handle.owned) return;
    if (run.actions.length > 0) await takeActions(run);
    const next = decide(handle.definition, handle.state);
    if (next.is === 'rest') return handle.flush();
    if (env.stopping.aborted || env.abort.ended) return handle.flush(clock.now());
    let wakeAt: number | undefined;
    switch (next.is) {
      case 'run':
        if (run.forward.ended) reopenForward(run);
        wakeAt = await runGroup(run, next.steps);
        break;
      case 'undo':
        wakeAt = await runBackward(run, next.step);
        break;
      case 'close':
        wakeAt = await runBackward(run, undefined);
        break;
      case 'children':
        wakeAt = cancelChildren(run, next.steps);
        break;
      case 'cancel':
        await cancel(run);
        break;
      case 'stick':
        handle.note({ kind: 'STUCK', failure: next.failure });
        await handle.flush();
        break;
      case 'end':
        await handle.flush();
        break;
    }
    if (wakeAt === undefined || handle.state.phase === 'stuck' || handle.state.phase === 'ended') continue;
    if (env.stopping.aborted || env.abort.ended || run.actions.length > 0) continue;
    const delayMs = wakeAt - clock.now();
    if (delayMs > SHORT_PAUSE_MS) return handle.flush(wakeAt);
    // A time to wake at holds from now on, whatever happens to this process.
    if (Object.keys(handle.state.waits).length > 0) await handle.flush();
    await rest(run, delayMs);
  }
}

/** A short pause, over at once when something comes. */
async function rest(run: SagaRun, delayMs: number): Promise<void> {
  if (delayMs <= 0) return;
  const news = new AbortController();
  run.onNews = () => news.abort();
  await pause(run.env, delayMs, AbortSignal.any([run.env.stopping, news.signal]));
  run.onNews = undefined;
}

/** Turns back, or says in the journal that it is too late to. */
async function cancel(run: SagaRun): Promise<void> {
  const { handle } = run;
  const { cancel: asked } = handle.state;
  if (asked === undefined) return;
  const request = { sagaId: handle.id, action: 'cancel' as ActionName, ...asked, at: run.env.runtime.clock.now() };
  for (const record of recordsFor(run, request)) handle.note(record);
  if (handle.state.phase !== 'backward') return;
  run.forward.end(sagaErrors.CANCELLED());
  await handle.flush();
}

/** What operators asked for while the saga ran here. */
async function takeActions(run: SagaRun): Promise<void> {
  const { handle } = run;
  for (const row of run.actions.splice(0)) {
    // Nothing is said of a saga behind its end: who asked sees how it ended.
    if (handle.state.phase === 'ended') break;
    const request = { ...(row.body as unknown as ActionRequest), sagaId: handle.id };
    const done = handle.state.actions.includes(request.actionId);
    const plan = done ? { records: [], sends: [] } : planAction(handle.definition, handle.state, request);
    handle.consume(row, 'refused' in plan ? [refusedAction(request)] : plan.records);
  }
  if (handle.state.phase !== 'forward') run.forward.end(sagaErrors.CANCELLED());
  await handle.flush();
}

const recordsFor = (run: SagaRun, request: ActionRequest) => {
  const plan = planAction(run.handle.definition, run.handle.state, request);
  // Whoever asked must get an answer: also when an action of this id is there already.
  return 'refused' in plan || plan.records.length === 0 ? [refusedAction(request)] : plan.records;
};
