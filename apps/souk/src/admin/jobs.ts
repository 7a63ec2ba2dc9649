import { type Context, fromUnknown, type Logger, type Runtime, rootContext } from '@souk/kernel';
import { appErrors } from '../errors.ts';

/** How a job tells how far it is. */
export interface JobProgress {
  /** Pieces in all. */
  total(pieces: number): void;
  /** So many more pieces are done. */
  done(pieces: number): void;
  /** One more piece is done with, but was refused. @param why Without ids, so that equal ones are counted together. */
  refused(why: string): void;
}

export interface JobInit {
  readonly kind: string;
  readonly actor: string;
  readonly reason: string;
  /** Ends when the signal of `ctx` aborts, after the piece it is at. */
  readonly work: (ctx: Context, progress: JobProgress) => Promise<void>;
}

/** A job as it stands. */
export interface JobState {
  readonly id: string;
  readonly kind: string;
  readonly actor: string;
  readonly reason: string;
  readonly state: 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED';
  readonly done: number;
  readonly total: number;
  readonly refusals: ReadonlyMap<string, number>;
  /** What ended it, when it failed. */
  readonly error: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number | undefined;
}

/** What operators began and what takes longer than a call. Lives as long as the process. */
export interface Jobs {
  /** @throws APP_TOO_MANY_JOBS */
  begin(init: JobInit): JobState;
  /** @throws APP_NO_JOB */
  get(id: string): JobState;
  /** Newest first. */
  list(): readonly JobState[];
  /** Asks it to end after the piece it is at. @throws APP_NO_JOB */
  cancel(id: string): JobState;
  /** Ends all of them, and takes no more. */
  stop(): Promise<void>;
}

/** Jobs at work at once. */
const MOST_RUNNING = 8;
/** Jobs that ended and are still remembered. */
const MOST_ENDED = 100;

interface Entry {
  state: JobState;
  readonly stopping: AbortController;
  readonly over: Promise<void>;
}

export function createJobs({ runtime, log }: { readonly runtime: Runtime; readonly log: Logger }): Jobs {
  const entries = new Map<string, Entry>();
  const now = (): number => runtime.clock.now();
  const running = (): Entry[] => [...entries.values()].filter(({ state }) => state.state === 'RUNNING');
  const find = (id: string): Entry => {
    const entry = entries.get(id);
    if (entry === undefined) throw appErrors.NO_JOB({ id });
    return entry;
  };

  const forget = (): void => {
    const ended = [...entries.values()].filter(({ state }) => state.state !== 'RUNNING');
    for (const { state } of ended.slice(0, -MOST_ENDED)) entries.delete(state.id);
  };

  const run = async (init: JobInit, id: string, stopping: AbortController): Promise<void> => {
    const change = (part: Partial<JobState>): void => {
      const entry = entries.get(id);
      if (entry !== undefined) entry.state = { ...entry.state, ...part };
    };
    const of = (): JobState => find(id).state;
    const caller = { roles: ['admin'], service: 'operator' };
    using ctx = rootContext({ runtime, log, signal: stopping.signal, caller });
    try {
      ctx.throwIfDone();
      await init.work(ctx, {
        total: (total) => change({ total }),
        done: (pieces) => change({ done: of().done + pieces }),
        refused: (why) => {
          const { refusals, done } = of();
          change({ done: done + 1, refusals: new Map(refusals).set(why, (refusals.get(why) ?? 0) + 1) });
        },
      });
      change({ state: stopping.signal.aborted ? 'CANCELLED' : 'DONE', endedAt: now() });
    } catch (thrown) {
      const error = fromUnknown(thrown);
      const state = stopping.signal.aborted ? 'CANCELLED' : 'FAILED';
      change({ state, error: state === 'FAILED' ? error.message : '', endedAt: now() });
      if (state === 'FAILED') log.error('a job of an operator failed', { job: init.kind, job_id: id, err: error });
    }
    const { kind, actor, reason, state, done } = of();
    log.info('a job of an operator has ended', { job: kind, job_id: id, actor, why: reason, state, done });
  };

  let stopped = false;
  return {
    begin: (init) => {
      if (stopped || running().length >= MOST_RUNNING) throw appErrors.TOO_MANY_JOBS({ most: MOST_RUNNING });
      const { kind, actor, reason } = init;
      const id = runtime.ids.next('job');
      const stopping = new AbortController();
      const begun = Promise.withResolvers<void>();
      const over = begun.promise.then(() => run(init, id, stopping)).then(forget);
      const state: JobState = {
        id,
        kind,
        actor,
        reason,
        state: 'RUNNING',
        done: 0,
        total: 0,
        refusals: new Map(),
        error: '',
        startedAt: now(),
        endedAt: undefined,
      };
      entries.set(id, { state, stopping, over });
      begun.resolve();
      return state;
    },
    get: (id) => find(id).state,
    list: () => [...entries.values()].map(({ state }) => state).reverse(),
    cancel: (id) => {
      const entry = find(id);
      entry.stopping.abort();
      return entry.state;
    },
    stop: async () => {
      stopped = true;
      for (const { stopping } of running()) stopping.abort();
      await Promise.all([...entries.values()].map(({ over }) => over));
    },
  };
}
