import type { Timer } from '@souk/kernel';
import type { AgentWorld } from './local-agent.ts';

/** What checks write while their status stays. It is for people, so it does not wake watchers each time. */
export interface Outputs {
  note(checkId: string, output: string): void;
  forget(checkId: string): void;
  start(): void;
  stop(): void;
}

/** @param delayMs So long an output may be unknown to watchers. */
export function createOutputs({ runtime, log, commits, catalog, nodeName }: AgentWorld, delayMs: number): Outputs {
  const changed = new Set<string>();
  let timer: Timer | undefined;

  const publish = (): void => {
    const ids = [...changed];
    changed.clear();
    if (ids.length === 0) return;
    commits
      .run((change) => {
        for (const id of ids) catalog.publishOutput(change, nodeName, id);
      })
      .catch((err) => log.warn('outputs of checks could not be kept', { err, count: ids.length }));
  };

  return {
    note: (checkId, output) => {
      if (catalog.check(nodeName, checkId)?.output === output) return;
      catalog.noteOutput(nodeName, checkId, output);
      changed.add(checkId);
    },
    forget: (checkId) => void changed.delete(checkId),
    start: () => {
      timer = runtime.timers.every(delayMs, publish);
    },
    stop: () => timer?.cancel(),
  };
}
