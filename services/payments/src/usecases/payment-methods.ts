import type { CreatePaymentMethodRequest, ListPaymentMethodsRequest } from '@souk/contracts/payments/v1/payments';
import type { UserDeleted } from '@souk/contracts/users/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import { decodePageToken, encodePageToken, pageSize, subjectOf } from '@souk/service';
import { methodMessage } from '../api/messages.ts';
import type { PaymentsDeps } from '../deps.ts';
import { persistently } from '../provider/persistence.ts';
import { addMethod, forgetMethods, listMethods } from '../store/method-repository.ts';

const LIST = 'payment-methods';
/** Above every id. */
const TOP = '~';

/** Turns a token into a payment method at the provider and keeps what it is called there. The token is forgotten. @throws PAYMENTS_TOKEN_REFUSED */
export const createPaymentMethod =
  (deps: PaymentsDeps) => async (ctx: Context, request: CreatePaymentMethodRequest) => {
    const { runtime, parts } = deps;
    const made = await persistently(runtime, ctx, () => parts.provider.createPaymentMethod(ctx, request.token));
    const method = await addMethod(deps.db.at(ctx), {
      id: runtime.ids.next('pm'),
      user_id: subjectOf(ctx, request.userId),
      provider_reference: made.reference,
      brand: made.brand,
      last4: made.last4,
      created_at: new Date(runtime.clock.now()),
    });
    return methodMessage(method);
  };

/** A user's payment methods, newest first. */
export const listPaymentMethods = (deps: PaymentsDeps) => async (ctx: Context, request: ListPaymentMethodsRequest) => {
  const size = pageSize(request.pageSize);
  const before = decodePageToken(request.pageToken, LIST, 1)?.[0] ?? TOP;
  const found = await listMethods(deps.db.at(ctx), request.userId, before, size + 1);
  const page = found.slice(0, size);
  const last = page.at(-1);
  return {
    paymentMethods: page.map(methodMessage),
    nextPageToken: found.length > size && last ? encodePageToken(LIST, [last.id]) : '',
  };
};

/** A user who was deleted leaves no payment methods. Payments stay: they are the shop's books, and name nobody but by id. */
export const forgetUser = (deps: PaymentsDeps) => async (_ctx: Context, event: UserDeleted, delivery: Delivery) => {
  deps.log.debug('payment methods of a deleted user go', { userId: event.userId });
  await delivery.once((tx) => forgetMethods(tx, event.userId));
};
