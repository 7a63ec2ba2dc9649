import { type Context, fromUnknown, type Logger, type Runtime, rootContext } from '@souk/kernel';
import type { Job } from '@souk/service';

/** Runs what services do again and again. */
export interface Jobs {
  /** A job that is added after the start begins at once. */
  add(service: string, log: Logger, job: Job): void;
  start(): void;
  /** Cancels the turns under way and waits for them to end. */
  stop(): Promise<void>;
}

interface Scheduled {
  readonly service: string;
  readonly log: Logger;
  readonly job: Job;
}

export function createJobs(runtime: Runtime): Jobs {
  const scheduled: Scheduled[] = [];
  const running: Promise<void>[] = [];
  const stopping = new AbortController();
  let started = false;

  const turn = async ({ service, log, job }: Scheduled): Promise<void> => {
    using ctx: Context = rootContext({ runtime, log, signal: stopping.signal, caller: { roles: [], service } });
    try {
      await job.run(ctx);
    } catch (thrown) {
      if (!stopping.signal.aborted)
        log.error('a job failed; it runs again', { job: job.name, err: fromUnknown(thrown) });
    }
  };

  const loop = async (entry: Scheduled): Promise<void> => {
    while (!stopping.signal.aborted) {
      await turn(entry);
      await runtime.timers.sleep(entry.job.everyMs, stopping.signal).catch(() => undefined);
    }
  };

  return {
    add: (service, log, job) => {
      const entry = { service, log, job };
      if (started) running.push(loop(entry));
      else scheduled.push(entry);
    },
    start: () => {
      started = true;
      running.push(...scheduled.map(loop));
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}
