import { defineErrors, rootContext, type VirtualRuntime, virtualRuntime } from '@souk/kernel';
import type { Json, SagaDefinition } from '../src/definition.ts';
import { createEngineOn } from '../src/engine.ts';
import type { SagaEngineOptions } from '../src/options.ts';
import type { SagaStorage } from '../src/storage.ts';
import { quietTelemetry } from '../src/testing-process.ts';
import { memoryStorage, memoryTx } from '../src/testing-storage.ts';

export const shop = defineErrors('SHOP', {
  REFUSED: { code: 'failed_precondition', text: 'no' },
  BUSY: { code: 'unavailable', text: 'later', retry: 'later' },
  LOST: { code: 'unavailable', text: 'no answer', retry: 'unknownOutcome' },
  BROKEN: { code: 'internal', text: 'a bug' },
});

export { quietTelemetry };

/** Engines on one memory storage, in virtual time. */
export function sagaWorld(options: { seed?: number } = {}) {
  const runtime: VirtualRuntime = virtualRuntime({ seed: options.seed ?? 1 });
  const memory = memoryStorage(runtime);
  const ctx = rootContext({ runtime });
  const processes = { self: () => ({ host: undefined, pid: 1, startedAt: '' }), isGone: () => false };

  /** @param life A process whose life is over sends nothing and hears nothing more. */
  const engine = <TDeps>(
    definitions: readonly SagaDefinition<TDeps, never>[],
    deps: TDeps,
    more: SagaEngineOptions = {},
    life: { readonly gone: boolean } = { gone: false },
  ) => {
    const never = () => new Promise<never>(() => {});
    const storage = Object.fromEntries(
      Object.entries(memory.storage).map(([name, call]) => [
        name,
        async (...args: unknown[]) => {
          if (life.gone) return never();
          const answer = await (call as (...args: unknown[]) => Promise<unknown>)(...args);
          return life.gone ? never() : answer;
        },
      ]),
    ) as unknown as SagaStorage;
    return createEngineOn<TDeps>({
      runtime,
      telemetry: quietTelemetry,
      storage,
      processes,
      lookUp: async (_ctx, id) => memory.sagas.get(id)?.status,
      definitions,
      deps,
      ...more,
    });
  };

  return {
    runtime,
    memory,
    ctx,
    engine,
    /** Begins something and lets time pass until it is done. */
    during: async <T>(work: Promise<T>, stepMs = 5): Promise<T> => {
      let done = false;
      const finished = work.finally(() => {
        done = true;
      });
      for (let turn = 0; !done && turn < 10_000; turn++) await runtime.advance(stepMs);
      return finished;
    },
    start: async <TDeps, TInput extends Json>(
      running: ReturnType<typeof engine<TDeps>>,
      definition: SagaDefinition<TDeps, TInput>,
      id: string,
      input: TInput,
    ) => {
      const tx = memoryTx(ctx);
      await running.sagas.start(tx, definition, { id, input, ctx });
      tx.commit();
    },
    /** Does something in a transaction of its own. */
    tx: async (work: (tx: ReturnType<typeof memoryTx>) => Promise<void>) => {
      const tx = memoryTx(ctx);
      await work(tx);
      tx.commit();
    },
    status: (id: string) => memory.sagas.get(id)?.status,
  };
}
