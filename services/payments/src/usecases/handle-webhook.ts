import type { HandleWebhookRequest } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { verifyPayload } from '@souk/security';
import type { PaymentsDeps } from '../deps.ts';
import { settledAfter } from '../domain/payment.ts';
import { paymentErrors } from '../errors.ts';
import { readEvent } from '../provider/charge-json.ts';
import { findPayment } from '../store/payment-repository.ts';
import { lookAtWebhook, takeWebhook } from '../store/webhook-inbox.ts';

/**
 * Takes a notice of the provider: verified byte for byte before it is read, applied once, in any order.
 *
 * @throws SIGNATURE_INVALID, SIGNATURE_EXPIRED, PAYMENTS_PROVIDER_UNKNOWN, PAYMENTS_WEBHOOK_MALFORMED
 */
export const handleWebhook = (deps: PaymentsDeps) => async (ctx: Context, request: HandleWebhookRequest) => {
  const { settings, runtime, parts, db } = deps;
  if (request.provider !== parts.provider.name) throw paymentErrors.PROVIDER_UNKNOWN();
  verifyPayload(
    { timestamp: request.timestamp, body: request.payload },
    {
      secrets: (settings.webhookSecrets ?? '').split(',').map((secret) => secret.trim()),
      signature: request.signature,
      nowMs: runtime.clock.now(),
      toleranceMs: settings.webhookTolerance,
    },
  );
  const event = parse(request.payload);
  const { charge } = event;
  const provider = parts.provider.name;
  const now = new Date(runtime.clock.now());
  if (charge.refunds.length === 0) {
    const known = { provider, id: event.id, paymentId: charge.reference, settled: settledAfter(charge.status) };
    const { seen, settled } = await lookAtWebhook(db.at(ctx), known, now);
    if (seen || settled) return { duplicate: seen };
  }
  return db.tx(ctx, async (tx) => {
    if (!(await takeWebhook(tx, provider, event.id, now))) return { duplicate: true };
    const payment = await findPayment(tx, charge.reference);
    if (payment === undefined) ctx.log.warn('a webhook tells of a payment that is not ours', { chargeId: charge.id });
    else await parts.settle.chargeIn(tx, payment, charge);
    return { duplicate: false };
  });
};

function parse(payload: Uint8Array) {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString());
  } catch (cause) {
    throw paymentErrors.WEBHOOK_MALFORMED({}, { cause });
  }
  const event = readEvent(value);
  if (event === undefined) throw paymentErrors.WEBHOOK_MALFORMED();
  return event;
}
