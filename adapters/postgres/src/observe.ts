import type { Context, Runtime, SoukError } from '@souk/kernel';
import type { Span, Telemetry } from '@souk/telemetry';
import type { PoolState } from './pool.ts';
import type { Statement } from './statements.ts';

/** What is said about the statements of one database. */
export interface Observer {
  /** Monotonic milliseconds, to be handed to `end`. */
  begin(): number;
  /** A span when the call's trace is sampled. */
  span(ctx: Context, statement: Statement): Span | undefined;
  end(ctx: Context, statement: Statement, beganMs: number, span: Span | undefined, error: SoukError | undefined): void;
}

export function createObserver(init: {
  telemetry: Telemetry | undefined;
  runtime: Runtime;
  database: string;
  slowMs: number;
  pool: () => PoolState;
}): Observer {
  const { telemetry, runtime, slowMs, database, pool } = init;
  const { clock } = runtime;
  const durations = telemetry?.metrics.histogram({
    name: 'db_client_operation_duration_seconds',
    help: 'Time from sending a statement to its last row.',
    labels: ['operation'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
  });
  if (telemetry !== undefined) watchPool(telemetry, pool);
  return {
    begin: () => clock.monotonicMs(),
    span: (ctx, { operation, text }) =>
      telemetry === undefined || !ctx.trace.sampled
        ? undefined
        : telemetry.tracer.start(ctx, `postgresql ${operation}`, {
            kind: 'client',
            attributes: {
              'db.system.name': 'postgresql',
              'db.namespace': database,
              'db.operation.name': operation,
              'db.query.text': text,
            },
          }),
    end: (ctx, { operation, text }, beganMs, span, error) => {
      const tookMs = clock.monotonicMs() - beganMs;
      durations?.observe(tookMs / 1000, { operation });
      if (tookMs >= slowMs)
        ctx.log.warn('slow query', { operation, query: shorten(text), durationMs: Math.round(tookMs) });
      if (span === undefined) return;
      if (error !== undefined) span.fail(error);
      span.end();
    },
  };
}

/** A migration may be pages long; its beginning tells which it is. */
const shorten = (text: string): string => (text.length > LONGEST_LOGGED ? `${text.slice(0, LONGEST_LOGGED)} …` : text);
const LONGEST_LOGGED = 500;

function watchPool({ metrics }: Telemetry, pool: () => PoolState): void {
  const size = metrics.gauge({
    name: 'db_client_connections',
    help: 'Connections of the pool by state.',
    labels: ['state'],
  });
  const waiting = metrics.gauge({ name: 'db_client_connections_pending', help: 'Calls that wait for a connection.' });
  metrics.onCollect(() => {
    const state = pool();
    size.set(state.idle, { state: 'idle' });
    size.set(state.open - state.idle, { state: 'used' });
    waiting.set(state.waiting, {});
  });
}
