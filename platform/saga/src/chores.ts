import { type Context, fromUnknown, type Runtime } from '@souk/kernel';
import type { Database, Transaction } from '@souk/store';
import { type StuckNotice, tellNotices } from './notices.ts';
import type { SagaEngineSettings } from './options.ts';
import { forgetSagas } from './retention.ts';
import type { SagaTelemetry } from './saga-telemetry.ts';

/** What must be done for all sagas of a service, by whichever process comes to it. */
export interface Chores {
  start(): void;
  /** A saga has just become STUCK here: it is told now and not at the next turn. */
  onStuck(): void;
  stop(): Promise<void>;
}

const STATEMENT_MS = 30_000;

/** Of those that run, wait for a person, or are due for the longest time. One that sleeps is not late. */
const OLDEST = `
  /* oldest-saga */
  SELECT min(o.created_at) AS oldest FROM (
    SELECT created_at FROM souk.saga WHERE status = 'RUNNING'
    UNION ALL
    SELECT created_at FROM souk.saga WHERE status = 'STUCK'
    UNION ALL
    (SELECT created_at FROM souk.saga WHERE status IN ('READY', 'WAITING') AND wake_at <= clock_timestamp() ORDER BY wake_at LIMIT 1)
  ) o`;

export function createChores(init: {
  readonly db: Database;
  readonly root: Context;
  readonly runtime: Runtime;
  readonly settings: SagaEngineSettings;
  readonly telemetry: SagaTelemetry;
  readonly tell: (tx: Transaction, notice: StuckNotice) => Promise<void>;
}): Chores {
  const { db, root, runtime, settings, telemetry } = init;
  const { clock, timers } = runtime;
  const running = new Set<Promise<void>>();
  const rounds: { cancel(): void }[] = [];
  let telling: Promise<void> | undefined;
  let tellAgain = false;
  let troubled = false;
  let stopping = false;

  /** What fails now is tried again at its next turn. Said once per outage. */
  const guarded = async (what: string, work: (ctx: Context) => Promise<void>): Promise<void> => {
    try {
      using ctx = root.with({ timeoutMs: STATEMENT_MS });
      await work(ctx);
      troubled = false;
    } catch (thrown) {
      if (!troubled) telemetry.log.warn('the saga engine could not do a chore', { what, err: fromUnknown(thrown) });
      troubled = true;
    }
  };

  const tell = (): void => {
    tellAgain = true;
    if (telling !== undefined || stopping) return;
    telling = (async () => {
      while (tellAgain && !stopping) {
        tellAgain = false;
        await guarded('tell of stuck sagas', async (ctx) => {
          const told = await tellNotices(db, ctx, init.tell);
          for (const { name } of told) telemetry.enteredStuck(name);
        });
      }
      telling = undefined;
    })();
  };

  const measure = (): Promise<void> =>
    guarded('measure', async (ctx) => {
      const { rows } = await db.at(ctx).query<{ oldest: Date | null }>(OLDEST);
      const oldest = rows[0]?.oldest;
      telemetry.oldest(oldest ? Math.max(0, clock.now() - oldest.getTime()) / 1_000 : 0);
    });

  const forget = (): Promise<void> =>
    guarded('forget', async (ctx) => {
      let more = true;
      while (more && !stopping) {
        ctx.throwIfDone();
        more = await forgetSagas(db.at(ctx), new Date(clock.now() - settings.retainMs), clock.now());
      }
    });

  const every = (ms: number, round: () => Promise<void> | void): void => {
    let busy = false;
    const turn = (): void => {
      if (busy) return;
      busy = true;
      const done = Promise.resolve(round()).finally(() => {
        busy = false;
        running.delete(done);
      });
      running.add(done);
    };
    rounds.push(timers.every(ms, turn));
  };

  return {
    start: () => {
      every(settings.takeOverMs, tell);
      every(settings.auditMs, measure);
      every(settings.retentionEveryMs, forget);
      tell();
    },
    onStuck: tell,
    stop: async () => {
      stopping = true;
      for (const round of rounds.splice(0)) round.cancel();
      await Promise.all([...running, telling]);
    },
  };
}
