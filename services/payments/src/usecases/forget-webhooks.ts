import type { Context } from '@souk/kernel';
import type { PaymentsDeps } from '../deps.ts';
import { forgetWebhooks as forget } from '../store/webhook-inbox.ts';

/** Longer than any provider sends again. */
const KEPT_MS = 14 * 86_400_000;

/** Forgets webhooks that cannot come again: their signatures are long expired. */
export const forgetWebhooks = (deps: PaymentsDeps) => async (ctx: Context) => {
  await forget(deps.db.at(ctx), new Date(deps.runtime.clock.now() - KEPT_MS));
};
