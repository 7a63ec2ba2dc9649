import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AddressSchema } from '@souk/contracts/common/v1/common';
import { OrderPlacedSchema } from '@souk/contracts/orders/v1/events';
import { OrderSchema, type PlaceOrderRequest, PlaceOrderRequestSchema } from '@souk/contracts/orders/v1/orders';
import type { Context } from '@souk/kernel';
import { actorOf, subjectOf } from '@souk/service';
import { findReplay, fingerprintOf, idempotent } from '@souk/store';
import { lineMessage, moneyMessage, orderMessage, timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import { priceLines, sumByProduct } from '../domain/pricing.ts';
import { orderErrors } from '../errors.ts';
import { placeOrderSaga } from '../sagas/place-order.ts';
import { findAddresses, type StoredAddress, saveAddress } from '../store/address-book.ts';
import { findOrder, type PositionedOrder } from '../store/order-view.ts';

const DEFAULT_CURRENCY = 'EUR';

/**
 * Accepts an order: the order, its event and the start of its saga are one transaction, under the caller's idempotency key. Prices
 * are asked of the catalog before, because the answer names the total.
 */
export function placeOrder(deps: OrdersDeps) {
  const { db, runtime } = deps;
  const { orders, waiters } = deps.parts;

  const price = async (ctx: Context, request: PlaceOrderRequest) => {
    const currency = request.currency || DEFAULT_CURRENCY;
    const items = sumByProduct(request.items);
    const answer = await deps.calls.catalog.priceItems(ctx, {
      currency,
      productIds: items.map(({ productId }) => productId),
    });
    if (answer.notFound.length > 0) {
      const unknown = new Set(answer.notFound);
      const violations = request.items.flatMap(({ productId }, index) =>
        unknown.has(productId) ? [{ pointer: `/items/${index}/productId`, detail: 'there is no such product' }] : [],
      );
      throw orderErrors.PRODUCT_UNKNOWN({}, { violations });
    }
    if (answer.items.some(({ available }) => !available)) throw orderErrors.PRODUCT_UNAVAILABLE();
    const products = answer.items.map(({ productId, name, unitPrice }) => ({
      productId,
      name,
      unitPrice: { currency, minorUnits: unitPrice?.minorUnits ?? 0n },
    }));
    return priceLines(items, products, currency);
  };

  const addressOf = async (ctx: Context, response: Uint8Array): Promise<StoredAddress | undefined> => {
    const { id } = fromBinary(OrderSchema, response);
    return (await findAddresses(db.at(ctx), [id])).get(id);
  };

  return async (ctx: Context, request: PlaceOrderRequest) => {
    const userId = subjectOf(ctx, request.userId);
    const key = {
      scope: `orders/PlaceOrder/${userId}`,
      key: ctx.idempotencyKey ?? '',
      // How long to wait is not part of what is asked for.
      fingerprint: fingerprintOf('PlaceOrder', toBinary(PlaceOrderRequestSchema, { ...request, prefer: '' })),
      runtime,
    };
    // The stored answer is kept without the address, which must be erasable.
    const answer = async (response: Uint8Array, address: StoredAddress | undefined, known?: PositionedOrder) => {
      const accepted = fromBinary(OrderSchema, response);
      if (address) accepted.shippingAddress = create(AddressSchema, address);
      const waitMs = Math.min(requestedWaitMs(request.prefer), deps.settings.maxWait, ctx.remainingMs() / 2);
      if (waitMs === 0) return accepted;
      const load = async () => (await findOrder(db.at(ctx), accepted.id)) as PositionedOrder;
      const order = await waiters.wait(ctx, accepted.id, waitMs, load, known);
      return orderMessage(order, address);
    };

    const replay = await findReplay(db.at(ctx), key);
    if (replay) return answer(replay, await addressOf(ctx, replay));

    const { lines, total } = await price(ctx, request);
    const orderId = runtime.ids.next('ord');
    const at = new Date(runtime.clock.now()).toISOString();
    const address = { ...(request.shippingAddress as NonNullable<typeof request.shippingAddress>) };
    let known: PositionedOrder | undefined;
    const { response, replayed } = await db.tx(ctx, (tx) =>
      idempotent(tx, key, async () => {
        const actor = actorOf(ctx);
        const order = await orders.create(tx, { type: 'OrderPlaced', orderId, userId, lines, total, at, actor });
        saveAddress(tx, orderId, userId, address);
        await deps.events.publish(tx, OrderPlacedSchema, {
          orderId,
          userId,
          items: lines.map(lineMessage),
          total: moneyMessage(total),
          at: timestamp(at),
        });
        await deps.sagas.start(tx, placeOrderSaga, {
          id: orderId,
          input: {
            userId,
            lines: lines.map(({ productId, quantity }) => ({ productId, quantity })),
            total,
            paymentMethodId: request.paymentMethodId,
          },
          ctx,
        });
        tx.afterCommit(() => deps.count('order_placed'));
        known = order;
        return toBinary(OrderSchema, create(OrderSchema, orderMessage(order, undefined)));
      }),
    );
    return answer(response, address, replayed ? undefined : known);
  };
}

/** Milliseconds asked for by `Prefer: wait=10` (RFC 7240); other preferences are ignored, as the RFC wants. */
function requestedWaitMs(prefer: string): number {
  const seconds = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,5})"?/i.exec(prefer)?.[1];
  return seconds === undefined ? 0 : Number(seconds) * 1000;
}
