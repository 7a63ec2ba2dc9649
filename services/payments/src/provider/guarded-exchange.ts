import { type Context, isSoukError } from '@souk/kernel';
import { isRejection, type Outcome, type Policy, type PolicyRegistry } from '@souk/resilience';
import { paymentErrors } from '../errors.ts';
import type { HttpExchange, HttpReply } from './http-exchange.ts';

/** How one request ended. */
type Ended = { readonly reply: HttpReply } | { readonly error: unknown; readonly isOurs: boolean };

/** The policy of all requests to the provider. */
export const providerPolicy = (policies: PolicyRegistry): Policy =>
  policies.policy('http:payment-provider', 'http', {
    classifyValue: (ended) => outcomeOf(ended as Ended),
    classify: () => 'failure',
  });

/** What an answer says of the provider: one that refuses a card is at work. */
function outcomeOf(ended: Ended): Outcome {
  // A caller with little time says nothing of the provider.
  if ('error' in ended) return ended.isOurs ? 'ignored' : 'failure';
  const { status } = ended.reply;
  if (status === 429) return 'throttled';
  return status >= 500 && status !== 501 ? 'failure' : 'success';
}

/**
 * Sends requests under a policy. The policy repeats none of them: whoever asks does, and knows what for (`persistently`), and requests
 * that are repeated at two layers are three times three. What the policy refuses was not sent: PAYMENTS_PROVIDER_UNAVAILABLE, which
 * says when to come again.
 */
export function guardExchange(http: HttpExchange, policy: Policy): HttpExchange {
  return {
    send: async (ctx, ...request) => {
      const ended = await underPolicy(policy, ctx, async () => {
        try {
          return { reply: await http.send(ctx, ...request) };
        } catch (error) {
          return { error, isOurs: ctx.remainingMs() <= 0 };
        }
      });
      if ('error' in ended) throw ended.error;
      return ended.reply;
    },
    close: http.close,
  };
}

async function underPolicy(policy: Policy, ctx: Context, send: () => Promise<Ended>): Promise<Ended> {
  try {
    return await policy.run(send, { deadlineMs: ctx.deadlineMs, idempotent: false, criticality: 'critical' });
  } catch (cause) {
    if (!isRejection(cause)) throw paymentErrors.PROVIDER_TIMED_OUT({}, { cause });
    const asked = isSoukError(cause) && cause.retry.kind === 'later' ? cause.retry.afterMs : undefined;
    throw paymentErrors.PROVIDER_UNAVAILABLE({}, { cause, afterMs: asked ?? 0 });
  }
}

/**
 * Milliseconds after which to come again when nothing was sent because the provider is spared; undefined for every other end.
 * @param thrown The error, or one that it caused.
 */
export function sparedForMs(thrown: unknown): number | undefined {
  for (let error = thrown; isSoukError(error); error = error.cause)
    if (error.reason === 'PAYMENTS_PROVIDER_UNAVAILABLE' && error.retry.kind === 'later') return error.retry.afterMs;
  return undefined;
}
