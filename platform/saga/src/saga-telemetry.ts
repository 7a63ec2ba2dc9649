import type { Context, SoukError, TraceContext } from '@souk/kernel';
import type { Span, Telemetry } from '@souk/telemetry';
import type { AnyDefinition, SagaFailure } from './definition.ts';
import type { Outcome } from './outcome.ts';
import type { SagaHandle } from './saga-handle.ts';

/** What the engine says about itself. */
export interface SagaTelemetry {
  readonly log: Telemetry['log'];
  /** @param links the traces of the start and of the run before this one */
  beginSaga(ctx: Context, definition: AnyDefinition, id: string, links: readonly TraceContext[]): Span;
  endSaga(span: Span, handle: SagaHandle, nowMs: number): void;
  beginStep(ctx: Context, handle: SagaHandle, step: string, attempt: number): Span;
  endStep(span: Span, handle: SagaHandle, step: string, outcome: Outcome, seconds: number): void;
  running(definition: AnyDefinition, by: 1 | -1): void;
  stuck(counts: ReadonlyMap<string, number>): void;
  /** An entry into STUCK, by whichever process. */
  enteredStuck(saga: string): void;
  /** Seconds since the start of the oldest saga that runs, should run, or is stuck; 0 when there is none. */
  oldest(seconds: number): void;
}

const DURATION_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];

export function createSagaTelemetry(telemetry: Telemetry, names: readonly string[]): SagaTelemetry {
  const { metrics, tracer, log } = telemetry;
  const running = metrics.gauge({
    name: 'souk_sagas_running',
    help: 'Sagas that run in this process.',
    labels: ['saga'],
  });
  const stuck = metrics.gauge({
    name: 'souk_sagas_stuck',
    help: 'Sagas of the service that wait for a person.',
    labels: ['saga'],
  });
  const entered = metrics.counter({
    name: 'souk_sagas_stuck_total',
    help: 'Entries of sagas into STUCK.',
    labels: ['saga'],
  });
  const oldest = metrics.gauge({
    name: 'souk_sagas_oldest_seconds',
    help: 'Age of the oldest saga of the service that runs, should run, or is stuck.',
    labels: [],
  });
  const duration = metrics.histogram({
    name: 'souk_saga_duration_seconds',
    help: 'From start to end of a saga.',
    labels: ['saga', 'outcome'],
    buckets: DURATION_BUCKETS,
  });
  const steps = metrics.histogram({
    name: 'souk_saga_step_duration_seconds',
    help: 'One attempt of a step.',
    labels: ['saga', 'step', 'outcome'],
  });
  const attempts = metrics.counter({
    name: 'souk_saga_step_attempts_total',
    help: 'Attempts of steps and undos.',
    labels: ['saga', 'step', 'direction', 'outcome'],
  });
  const compensated = metrics.counter({
    name: 'souk_sagas_compensated_total',
    help: 'Sagas that were taken back.',
    labels: ['saga'],
  });

  return {
    log,
    beginSaga: (ctx, { name, version }, id, links) =>
      tracer.start(ctx, `saga ${name}`, {
        attributes: { 'souk.saga.id': id, 'souk.saga.name': name, 'souk.saga.version': version },
        links,
      }),
    endSaga: (span, handle, nowMs) => {
      const { state } = handle;
      const saga = handle.definition.name;
      span.set('souk.saga.direction', state.direction);
      span.set('souk.saga.outcome', state.end ?? state.phase);
      if (state.end !== undefined) {
        const seconds = Math.max(0, nowMs - state.startedAt) / 1_000;
        duration.observe(seconds, { saga, outcome: state.end.toLowerCase() });
        if (state.end === 'COMPENSATED') compensated.add(1, { saga });
      }
      if (state.phase === 'stuck') logStuck(log, handle, state.stuck);
      span.end();
    },
    beginStep: (ctx, handle, step, attempt) =>
      tracer.start(ctx, `saga ${handle.definition.name} ${step}`, {
        attributes: {
          'souk.saga.id': handle.id,
          'souk.saga.step': step,
          'souk.saga.step_kind': handle.definition.steps.get(step)?.kind ?? step,
          'souk.saga.direction': handle.state.direction,
          'souk.saga.attempt': attempt,
        },
      }),
    endStep: (span, handle, step, outcome, seconds) => {
      span.set('souk.saga.outcome', outcome.is);
      if (outcome.is !== 'done') span.fail(outcome.error);
      span.end();
      const saga = handle.definition.name;
      steps.observe(seconds, { saga, step, outcome: outcome.is });
      attempts.add(1, { saga, step, direction: handle.state.direction, outcome: outcome.is });
      if (outcome.is === 'defect') logDefect(log, handle, step, outcome.error);
    },
    running: (definition, by) => running.add(by, { saga: definition.name }),
    enteredStuck: (saga) => entered.add(1, { saga }),
    oldest: (seconds) => oldest.set(seconds, {}),
    stuck: (counts) => {
      for (const saga of new Set([...names, ...counts.keys()])) stuck.set(counts.get(saga) ?? 0, { saga });
    },
  };
}

const logStuck = (log: Telemetry['log'], handle: SagaHandle, failure: SagaFailure | undefined): void =>
  log.error('a saga is stuck and waits for a person', {
    saga: handle.definition.name,
    saga_id: handle.id,
    step: failure?.step,
    reason: failure?.reason,
    code: failure?.code,
  });

const logDefect = (log: Telemetry['log'], handle: SagaHandle, step: string, err: SoukError): void =>
  log.error('a step of a saga has a defect', { saga: handle.definition.name, saga_id: handle.id, step, err });
