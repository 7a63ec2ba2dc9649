import type { Context } from '@souk/kernel';
import { runBackward } from './backward.ts';
import { runGroup } from './group.ts';
import { decide } from './machine.ts';
import type { SagaHandle } from './saga-handle.ts';
import { pause, type RunnerEnv, SHORT_PAUSE_MS } from './step.ts';

/**
 * Runs a saga until it ends, is stuck, waits long, or is let go because the engine stops.
 *
 * @throws SAGA_OWNERSHIP_LOST, SAGA_STOPPED
 */
export async function runSaga(ctx: Context, handle: SagaHandle, env: RunnerEnv): Promise<void> {
  for (;;) {
    const next = decide(handle.definition, handle.state);
    if (next.is === 'rest') return;
    if (env.stopping.aborted || env.abort.aborted) return handle.flush(env.runtime.clock.now());
    if (next.is === 'end') {
      await handle.flush();
      continue;
    }
    const wakeAt =
      next.is === 'run' ? await runGroup(ctx, handle, env, next.steps) : await runBackward(ctx, handle, env, next);
    if (wakeAt === undefined || handle.state.phase === 'stuck' || handle.state.phase === 'ended') continue;
    if (env.stopping.aborted || env.abort.aborted) continue;
    const delayMs = wakeAt - env.runtime.clock.now();
    if (delayMs > SHORT_PAUSE_MS) return handle.flush(wakeAt);
    await pause(env, delayMs, env.stopping);
  }
}
