import { type Runtime, silentLogger, type Timer, type VirtualRuntime } from '@souk/kernel';
import type { Telemetry } from '@souk/telemetry';
import type { AnyDefinition, SagaDefinition } from './definition.ts';
import { createEngineOn, type EngineCore } from './engine.ts';
import type { SagaEngineOptions } from './options.ts';
import type { SagaStorage } from './storage.ts';
import type { memoryStorage } from './testing-storage.ts';

const series = { add: () => {}, set: () => {}, observe: () => {} };

/** Telemetry that nobody hears. */
export const quietTelemetry: Telemetry = {
  service: 'test',
  log: silentLogger,
  metrics: { counter: () => series, gauge: () => series, histogram: () => series, onCollect: () => {} },
  tracer: {
    start: (ctx) => ({ trace: ctx.trace, set: () => {}, event: () => {}, fail: () => {}, end: () => {} }),
    run: (ctx, _name, _options, work) =>
      work(ctx, { trace: ctx.trace, set: () => {}, event: () => {}, fail: () => {}, end: () => {} }),
  },
};

/** A process of a test: it can be killed at any of its awaits, and stopped for a while. */
export interface TestProcess {
  readonly engine: EngineCore<TestProcess>;
  readonly gone: boolean;
  /** Awaits that it has come to so far. */
  readonly points: number;
  /** Sends nothing and hears nothing more, as after a `kill -9`. */
  kill(): void;
  /** Does nothing until then, as after a `kill -STOP`; what it was about to send goes out afterwards. Milliseconds since 1970. */
  pauseUntil(atMs: number): void;
  /** An await: the process may be killed here, or stopped. Never resolves in one that is gone. */
  pass(): Promise<void>;
}

export interface TestProcessInit {
  readonly runtime: VirtualRuntime;
  readonly memory: ReturnType<typeof memoryStorage>;
  /** Their steps get the process itself as their dependencies. */
  readonly definitions: readonly AnyDefinition[];
  readonly options?: SagaEngineOptions;
  /** What its clock is ahead of the others', in milliseconds. @default 0 */
  readonly skewMs?: number;
  /** The number of the await at which it is killed. @default never */
  readonly crashAt?: number;
  /** Distorts the storage as this process sees it. */
  readonly distort?: (storage: SagaStorage) => SagaStorage;
}

/** The real engine in a process of its own, on a storage that several share, in virtual time. */
export function testProcess(init: TestProcessInit): TestProcess {
  const { runtime: base, memory, crashAt = Number.POSITIVE_INFINITY, skewMs = 0 } = init;
  const { clock } = base;
  const started: { cancel(): void }[] = [];
  let gone = false;
  let pausedUntil = 0;
  let points = 0;
  const never = () => new Promise<never>(() => {});

  const pass = async (): Promise<void> => {
    points++;
    if (points === crashAt) kill();
    while (!gone && pausedUntil > clock.now()) await base.timers.sleep(pausedUntil - clock.now());
    if (gone) return never();
  };
  const kill = (): void => {
    gone = true;
    for (const timer of started.splice(0)) timer.cancel();
  };

  const after = (delayMs: number, run: () => void): Timer => {
    let timer: Timer;
    const fire = (): void => {
      if (gone) return;
      if (pausedUntil > clock.now()) timer = base.timers.after(pausedUntil - clock.now(), fire);
      else run();
    };
    timer = base.timers.after(delayMs, fire);
    return { cancel: () => timer.cancel() };
  };
  const runtime: Runtime = {
    ...base,
    clock: { now: () => clock.now() + skewMs, monotonicMs: () => clock.monotonicMs() },
    timers: {
      after,
      every: (ms, run) => {
        const timer = base.timers.every(ms, () => {
          if (!gone && pausedUntil <= clock.now()) run();
        });
        started.push(timer);
        return timer;
      },
      sleep: async (ms, signal) => {
        await base.timers.sleep(ms, signal);
        if (pausedUntil > clock.now()) await base.timers.sleep(pausedUntil - clock.now(), signal);
      },
    },
  };

  const calls = Object.entries(init.distort?.(memory.storage) ?? memory.storage).map(([name, call]) => [
    name,
    async (...args: unknown[]) => {
      await pass();
      try {
        return await (call as (...args: unknown[]) => Promise<unknown>)(...args);
      } finally {
        await pass();
      }
    },
  ]);

  const self: TestProcess = {
    get engine() {
      return engine;
    },
    get gone() {
      return gone;
    },
    get points() {
      return points;
    },
    kill,
    pauseUntil: (atMs) => {
      pausedUntil = atMs;
    },
    pass,
  };
  const engine = createEngineOn<TestProcess>({
    runtime,
    telemetry: quietTelemetry,
    storage: Object.fromEntries(calls) as unknown as SagaStorage,
    processes: { self: () => ({ host: undefined, pid: 1, startedAt: '' }), isGone: () => false },
    lookUp: async (_ctx, id) => memory.sagas.get(id)?.status,
    definitions: init.definitions as unknown as readonly SagaDefinition<TestProcess, never>[],
    deps: self,
    ...init.options,
  });
  return self;
}
