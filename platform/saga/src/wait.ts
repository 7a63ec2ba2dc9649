import type { AnyStep, StepWork } from './definition.ts';
import { sagaErrors } from './errors.ts';
import { failureOf, type Group, turnBack } from './group-state.ts';
import { isCommitted, keyOf } from './machine.ts';
import { known, type SagaRun } from './step.ts';

type Waiting = Exclude<StepWork<never, never>, { is: 'run' }>;

/** Begins what a step waits for, or says that it is over. Does not wait itself. */
export function arrange(run: SagaRun, group: Group, step: AnyStep, work: Waiting): void {
  if (work.is === 'sleep') sleep(run, step, work);
  else if (work.is === 'wait') awaitSignal(run, group, step, work);
  else awaitChild(run, group, step, work);
}

function sleep(run: SagaRun, { name }: AnyStep, { until }: Extract<Waiting, { is: 'sleep' }>): void {
  const { handle } = run;
  const nowMs = run.env.runtime.clock.now();
  if (handle.state.waits[name] === undefined) {
    const at = typeof until === 'number' ? nowMs + until : until(known(handle.state, handle.id, name));
    if (!Number.isFinite(at)) throw sagaErrors.SLEEP_TIME({ step: name });
    handle.note({ kind: 'WAITING', step: name, until: at });
  }
  if ((handle.state.waits[name]?.until ?? 0) <= nowMs) handle.note({ kind: 'TIMER', step: name });
}

function awaitSignal(run: SagaRun, group: Group, { name }: AnyStep, work: Extract<Waiting, { is: 'wait' }>): void {
  const { handle } = run;
  const { signal, timeoutMs, onTimeout } = work;
  const nowMs = run.env.runtime.clock.now();
  const came = handle.state.signals.find((one) => one.name === signal);
  const wait = handle.state.waits[name];
  if (came !== undefined) {
    handle.note({ kind: 'SIGNALLED', ...came, step: name });
  } else if (wait === undefined) {
    const until = timeoutMs === Number.POSITIVE_INFINITY ? null : nowMs + timeoutMs;
    handle.note({ kind: 'WAITING', step: name, until });
  } else if (wait.until !== null && wait.until <= nowMs) {
    if (onTimeout === 'continue') handle.note({ kind: 'TIMER', step: name });
    else turnBack(run, group, failureOf(name, sagaErrors.SIGNAL_TIMED_OUT({ signal })));
  }
}

function awaitChild(run: SagaRun, group: Group, { name }: AnyStep, work: Extract<Waiting, { is: 'child' }>): void {
  const { handle, env } = run;
  const { definition, id: sagaId, state } = handle;
  const end = state.childEnds[name];
  if (end?.status === 'TERMINATED') {
    group.stuck ??= failureOf(name, sagaErrors.CHILD_TERMINATED({ child: end.child }));
  } else if (end !== undefined) {
    const failure = {
      ...(end.failure ?? failureOf(name, sagaErrors.CHILD_COMPENSATED({ child: end.child }))),
      step: name,
    };
    if (isCommitted(definition, state)) group.stuck ??= failure;
    else turnBack(run, group, failure);
  } else if (state.waits[name] === undefined) {
    const child = keyOf(state, sagaId, name);
    const input = work.input(known(state, sagaId, name));
    const start = env.startOf(work.saga, {
      id: child,
      input,
      parent: { sagaId, step: name },
      key: state.key,
      tenant: state.tenant,
      trace: run.ctx.trace,
      owner: undefined,
    });
    handle.begin({ kind: 'WAITING', step: name, until: null, child }, start.start);
  }
}
