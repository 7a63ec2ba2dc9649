import { type Context, fromUnknown } from '@souk/kernel';
import type { PaymentsDeps } from '../deps.ts';
import { resolveAfterMs } from '../domain/payment.ts';
import { sparedForMs } from '../provider/guarded-exchange.ts';
import { claimOpen, lookAt, type OpenAttempt } from '../store/attempt-repository.ts';
import { findPayment } from '../store/payment-repository.ts';
import type { PaymentRow } from '../store/payment-row.ts';
import { findRefund } from '../store/settlement.ts';
import { chargeByHand } from './create-payment.ts';

const BATCH = 20;
/** Milliseconds after which it is a matter for a person. */
const A_DAY_MS = 86_400_000;
const TIME_PER_BATCH_MS = 30_000;
/** How long they stay away at least: the sagas of the orders ask sooner, and thousands may wait. Milliseconds. */
const SPARED_MS = 10_000;
/** Those who were turned away together do not come back in the same moment. Milliseconds. */
const SPREAD_MS = 2000;
const WAITS_S = [0, 1, 2, 3].map((looks) => resolveAfterMs(looks) / 1000);

/** Takes up what was begun and has no outcome: after a crash, a timeout, a provider that was away. */
export const resumeAttempts = (deps: PaymentsDeps) => async (ctx: Context) => {
  let claimed: number;
  do {
    using turn = ctx.with({ timeoutMs: TIME_PER_BATCH_MS });
    const now = new Date(deps.runtime.clock.now());
    const open = await claimOpen(deps.db.at(turn), now, WAITS_S, BATCH);
    await Promise.all(open.map((attempt) => look(turn, deps, attempt)));
    claimed = open.length;
  } while (claimed === BATCH);
};

async function look(ctx: Context, deps: PaymentsDeps, attempt: OpenAttempt): Promise<void> {
  const { payment_id: paymentId, purpose, looks, created_at: begunAt } = attempt;
  try {
    const payment = await findPayment(deps.db.at(ctx), paymentId);
    if (payment !== undefined) await resumeUnlessSpared(ctx, deps, payment, attempt);
  } catch (thrown) {
    const fields = { paymentId, purpose, looks, err: fromUnknown(thrown) };
    const ageMs = deps.runtime.clock.now() - begunAt.getTime();
    if (ageMs < A_DAY_MS) ctx.log.warn('an outcome is still not known', fields);
    else ctx.log.error('an outcome is not known after a day: ask the provider', fields);
  }
}

/** When nothing was asked this was no look: the next is when the provider is asked again, not after the wait of one that failed. */
async function resumeUnlessSpared(ctx: Context, deps: PaymentsDeps, payment: PaymentRow, attempt: OpenAttempt) {
  try {
    await resume(ctx, deps, payment, attempt);
  } catch (thrown) {
    const afterMs = sparedForMs(thrown);
    if (afterMs === undefined) throw thrown;
    const { random, clock } = deps.runtime;
    const at = new Date(clock.now() + Math.max(SPARED_MS, afterMs) + random.next() * SPREAD_MS);
    await lookAt(deps.db.at(ctx), attempt.payment_id, attempt.purpose, at);
  }
}

async function resume(
  ctx: Context,
  deps: PaymentsDeps,
  payment: PaymentRow,
  { purpose }: OpenAttempt,
): Promise<unknown> {
  const { pursue } = deps.parts;
  switch (purpose) {
    case 'authorize':
      // The order's saga asks again for itself, or calls the payment off. Nobody else asks for a charge by hand.
      return payment.by_hand ? chargeByHand(ctx, deps, payment) : pursue.resolve(ctx, payment);
    case 'capture':
      return pursue.capture(ctx, payment);
    case 'void':
      return pursue.release(ctx, payment);
    default: {
      const refund = await findRefund(deps.db.at(ctx), purpose.slice('refund/'.length));
      return refund && pursue.refund(ctx, payment, refund);
    }
  }
}
