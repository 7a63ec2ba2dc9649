import { type Context, fromUnknown, hasReason, kernelErrors, type SoukError } from '@souk/kernel';
import { storeErrors, type Transaction, type TransactionOptions } from '@souk/store';
import type { Connection } from './connection.ts';
import type { Session } from './database.ts';
import { endsSession, fromDriver, isStalePlan } from './errors.ts';
import type { Statement } from './statements.ts';

const ATTEMPTS = 5;

/** Waits between attempts are drawn from 0 up to this, doubled each time, in milliseconds. */
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 320;

const BEGIN: Statement = { text: 'BEGIN', name: undefined, operation: 'BEGIN' };
const COMMIT: Statement = { text: 'COMMIT', name: undefined, operation: 'COMMIT' };

/** Runs `work` until it commits, fails for good or has used up its attempts. */
export async function runTransaction<T>(
  session: Session,
  ctx: Context,
  work: (tx: Transaction) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const attempts = options.attempts ?? ATTEMPTS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await runAttempt(session, ctx, work, options);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      if (attempt >= attempts || !hasReason(error, 'STORE_CONFLICT')) throw thrown;
      const { random, timers } = session.runtime;
      await timers.sleep(random.next() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt), ctx.signal);
    }
  }
}

async function runAttempt<T>(
  session: Session,
  ctx: Context,
  work: (tx: Transaction) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  ctx.throwIfDone();
  const connection = await session.checkout(ctx);
  const tx = new Attempt(session, ctx, connection, options);
  const { signal } = ctx;
  const onAbort = (): void => tx.cancel();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const result = await work(tx);
    await tx.commit();
    return result;
  } catch (thrown) {
    await tx.rollback();
    throw tx.meaningOf(thrown);
  } finally {
    signal.removeEventListener('abort', onAbort);
    tx.release();
  }
}

type Phase = 'new' | 'open' | 'committing' | 'over';

interface Deferred {
  readonly statement: Statement;
  readonly values: readonly unknown[] | undefined;
}

/**
 * One attempt. BEGIN goes out with the first statement and deferred statements with the next one, in one packet; a transaction without
 * statements costs nothing.
 */
class Attempt implements Transaction {
  readonly ctx: Context;
  readonly #session: Session;
  readonly #connection: Connection;
  readonly #options: TransactionOptions;
  readonly #afterCommit: (() => void)[] = [];
  #deferred: Deferred[] = [];
  #phase: Phase = 'new';
  /** BEGIN was answered: from here on everything is inside. */
  #begun = false;
  #cancelWhenBegun = false;
  /** Statements that were sent and not answered. */
  #running = 0;
  #canceling: Promise<void> | undefined;
  /** Prepared before a table changed. */
  #stale: Statement | undefined;

  constructor(session: Session, ctx: Context, connection: Connection, options: TransactionOptions) {
    this.#session = session;
    this.ctx = ctx;
    this.#connection = connection;
    this.#options = options;
  }

  async query<TRow>(text: string, values?: readonly unknown[]): Promise<{ rows: TRow[]; rowCount: number }> {
    const statement = this.#session.statements.of(text);
    const result = await this.#send(statement, () => this.#connection.run(statement, values));
    return { rows: result.rows as TRow[], rowCount: result.rowCount ?? 0 };
  }

  defer(text: string, values?: readonly unknown[]): void {
    this.#demandNotOver();
    this.#deferred.push({ statement: this.#session.statements.of(text), values });
  }

  async script(text: string): Promise<void> {
    await this.#send({ text, name: undefined, operation: 'SCRIPT' }, () => this.#connection.script(text));
  }

  afterCommit(run: () => void): void {
    this.#afterCommit.push(run);
  }

  cancel(): void {
    if (this.#running === 0) return;
    // A BEGIN that is stopped leaves what was sent behind it outside of any transaction: each statement would commit alone.
    if (this.#phase === 'open' && !this.#begun) {
      this.#cancelWhenBegun = true;
      this.#connection.cutLater();
    } else if (this.#phase === 'open') this.#canceling = this.#connection.cancel();
    // A COMMIT under way is given time: its outcome is worth more than an early answer.
    if (this.#phase === 'committing') this.#connection.cutLater();
  }

  async commit(): Promise<void> {
    if (this.#phase === 'open' || this.#deferred.length > 0) {
      this.ctx.throwIfDone();
      const answers = this.#sendAll(() => this.#observed(COMMIT, this.#connection.script('COMMIT'), true));
      this.#phase = 'committing';
      const settled = await Promise.allSettled(answers);
      const committed = settled.at(-1) as PromiseSettledResult<{ command: string }>;
      // Lost with the COMMIT on its way: nobody knows, whatever became of the statements before it.
      if (committed.status === 'rejected') throw committed.reason;
      this.#phase = 'over';
      // PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and does not call it an error.
      if (committed.value.command !== 'COMMIT') {
        if (this.#stale !== undefined) await this.#connection.forget(this.#stale);
        throw settled.find((one) => one.status === 'rejected')?.reason ?? storeErrors.TRANSACTION_ABORTED();
      }
      // Without a transaction a COMMIT succeeds too, and says nothing of what failed before it.
      const failed = settled.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw storeErrors.OUTCOME_UNKNOWN({}, { cause: failed.reason });
    }
    this.#phase = 'over';
    for (const run of this.#afterCommit) {
      try {
        run();
      } catch (error) {
        this.ctx.log.error('work after a commit failed', { err: fromUnknown(error) });
      }
    }
  }

  async rollback(): Promise<void> {
    const phase = this.#phase;
    this.#phase = 'over';
    if (phase === 'new' || phase === 'over') return;
    if (phase === 'committing') {
      if (!this.#connection.broken) this.#connection.destroy();
      return;
    }
    try {
      await this.#canceling;
      if (this.#connection.broken) return;
      const undone = this.#connection.script('ROLLBACK');
      // Nobody's deadline holds here: a server that went silent would keep the connection, and the caller, for ever.
      this.#connection.cutLater();
      await undone;
      // The next attempt gets the connection that was used last: this one.
      if (this.#stale !== undefined) await this.#connection.forget(this.#stale);
    } catch {
      // The server undoes what a lost connection leaves open, so there is nothing more to do, or to tell.
      this.#connection.destroy();
    }
  }

  /** The caller's reason for giving up says more than the database's word for it. */
  meaningOf(thrown: unknown): unknown {
    return this.#canceling !== undefined && hasReason(thrown, 'STORE_CANCELED')
      ? fromUnknown(this.ctx.signal.reason)
      : thrown;
  }

  release(): void {
    const { pool } = this.#session;
    if (this.#canceling === undefined) pool.release(this.#connection);
    else void this.#canceling.then(() => pool.release(this.#connection));
  }

  async #send<TResult>(statement: Statement, send: () => Promise<TResult>): Promise<TResult> {
    this.#demandNotOver();
    this.ctx.throwIfDone();
    if (this.#phase === 'open' && this.#deferred.length === 0) return this.#observed(statement, send(), false);
    const answers = this.#sendAll(() => this.#observed(statement, send(), false));
    // The first that fails rejects first: those behind it only say that the transaction is aborted.
    return (await Promise.all(answers)).at(-1) as TResult;
  }

  /** Sends BEGIN when it was not sent yet, what was deferred, and `last`, in one packet. */
  #sendAll(last: () => Promise<unknown>): Promise<unknown>[] {
    const answers: Promise<unknown>[] = [];
    const deferred = this.#deferred;
    this.#deferred = [];
    this.#connection.together(() => {
      if (this.#phase === 'new') {
        this.#phase = 'open';
        const begin = this.#connection.script(beginText(this.#options, this.ctx));
        answers.push(this.#observed(BEGIN, begin, false));
        // Whoever awaits the answer hears of a BEGIN that failed.
        begin.then(this.#onBegun, () => {});
      }
      for (const { statement, values } of deferred) {
        answers.push(this.#observed(statement, this.#connection.run(statement, values), false));
      }
      answers.push(last());
    });
    return answers;
  }

  readonly #onBegun = (): void => {
    this.#begun = true;
    if (this.#cancelWhenBegun) this.cancel();
  };

  #demandNotOver(): void {
    if (this.#phase === 'committing' || this.#phase === 'over') {
      throw kernelErrors.NOT_STARTED({ part: 'a transaction that is over' });
    }
  }

  async #observed<TResult>(statement: Statement, answer: Promise<TResult>, atStake: boolean): Promise<TResult> {
    const { observer } = this.#session;
    const span = observer.span(this.ctx, statement);
    const beganMs = observer.begin();
    let error: SoukError | undefined;
    this.#running++;
    try {
      return await answer;
    } catch (thrown) {
      error = fromDriver(thrown, atStake);
      if (isStalePlan(thrown)) this.#stale = statement;
      if (endsSession(thrown)) this.#connection.destroy();
      throw error;
    } finally {
      this.#running--;
      observer.end(this.ctx, statement, beganMs, span, error);
    }
  }
}

/**
 * A statement is cancelled when its call's deadline passes. Where the deadline is near, the server is told as well: its limit holds even
 * when this process is too busy to cancel in time. Saying so costs as much as a small statement, so it is not said of distant ones.
 */
const NEAR_MS = 5000;

function beginText({ isolation, readOnly }: TransactionOptions, ctx: Context): string {
  const begin = `BEGIN${isolation === undefined || isolation === 'read committed' ? '' : ` ISOLATION LEVEL ${isolation}`}${readOnly ? ' READ ONLY' : ''}`;
  const leftMs = ctx.remainingMs();
  return leftMs > NEAR_MS ? begin : `${begin}; SET LOCAL statement_timeout = ${Math.max(1, Math.ceil(leftMs))}`;
}
