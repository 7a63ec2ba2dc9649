import { type Context, isSoukError, type SoukError } from '@souk/kernel';
import { type Classify, isRejection, type Outcome, type Policy } from '@souk/resilience';
import { storeErrors } from '@souk/store';
import type { Connection } from './connection.ts';
import type { Pool } from './pool.ts';

/** @throws STORE_POOL_EXHAUSTED, STORE_UNAVAILABLE, STORE_CLOSED, or the context's reason */
export type Checkout = (ctx: Context) => Connection | Promise<Connection>;

/**
 * Takes connections out of the pool, under a policy if there is one. It judges whether the database can be reached, and nothing else: what
 * statements come to says nothing of that, and a session that the server has ended is replaced at once. So a restart that is over is never
 * answered for, and whoever probes knows after one sign-in, however long its statement then takes.
 *
 * The policy is told nothing of the context: who waits in the pool minds it, and what was given out late must go back.
 */
export function createCheckout(database: string, pool: Pool, policy: Policy | undefined): Checkout {
  if (policy === undefined) return (ctx) => pool.take() ?? pool.wait(ctx);

  /** Those who are refused in the same moment are refused with the same error. */
  let told: { readonly refusal: SoukError; readonly error: SoukError } | undefined;
  const meaningOf = (thrown: unknown): unknown => {
    if (!isSoukError(thrown) || !(isRejection(thrown) || thrown.reason === 'RESILIENCE_TIMED_OUT')) return thrown;
    if (told?.refusal === thrown) return told.error;
    const afterMs = thrown.retry.kind === 'later' ? thrown.retry.afterMs : undefined;
    const more = { cause: thrown, ...(afterMs !== undefined && { afterMs }) };
    // Nothing was sent, whatever refused.
    const error =
      thrown.code === 'unavailable'
        ? storeErrors.UNAVAILABLE({}, more)
        : storeErrors.POOL_EXHAUSTED({ database }, more);
    told = { refusal: thrown, error };
    return error;
  };

  return async (ctx) => {
    let isOver = false;
    /** One connection is used; what comes for an attempt that nobody waits for any more goes back. */
    const use = (connection: Connection): Connection => {
      if (isOver) pool.release(connection);
      isOver = true;
      return connection;
    };
    try {
      return await policy.run(() => {
        const idle = pool.take();
        return idle === undefined ? pool.wait(ctx).then(use) : use(idle);
      });
    } catch (thrown) {
      isOver = true;
      throw meaningOf(thrown);
    }
  };
}

const OF_REASON: Readonly<Record<string, Outcome>> = {
  STORE_UNAVAILABLE: 'failure',
  // They say something of us, not of the server.
  STORE_POOL_EXHAUSTED: 'ignored',
  STORE_CLOSED: 'ignored',
  SOUK_CANCELED: 'cancelled',
  SOUK_DEADLINE_EXCEEDED: 'cancelled',
};

/** What the end of a checkout says of the server. One that refuses the sign-in is there. */
export const classifyCheckout: Classify = (error) =>
  isSoukError(error) ? (OF_REASON[error.reason] ?? 'success') : 'failure';
