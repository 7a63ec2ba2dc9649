import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Payment_Status } from '@souk/contracts/payments/v1/payments';
import type { Context } from '@souk/kernel';
import { type SagaFailure, saga } from '@souk/saga';
import { moneyMessage } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import type { Money } from '../domain/order.ts';
import { orderErrors } from '../errors.ts';
import { findAddresses } from '../store/address-book.ts';
import { confirmOrder } from '../usecases/confirm-order.ts';
import { recordProgress } from '../usecases/record-progress.ts';
import { rejectOrder } from '../usecases/reject-order.ts';

/** No personal data: the address is read when it is needed. The saga has the id of its order. */
export type PlaceOrderInput = {
  readonly userId: string;
  readonly lines: readonly { readonly productId: string; readonly quantity: number }[];
  readonly total: Money;
  readonly paymentMethodId: string;
};

/**
 * Carries an order from PLACED to CONFIRMED and out of the door, or back to nothing.
 *
 *   check-user -> reserve-stock -> authorize-payment -> confirm-order -> capture-payment + commit-stock -> arrange-shipping
 *      read        undo: release     undo: void            pivot              retriable, in parallel            retriable
 *   -> record-progress + award-points -> notify
 *        retriable, in parallel          retriable
 *
 * Every participant takes the order's id as the identity of the work, so repeats do nothing.
 */
export const placeOrderSaga = saga<OrdersDeps, PlaceOrderInput>('place-order', 1)
  .deadline('15m')
  .step('check-user', {
    kind: 'read',
    run: async (ctx, { input }, deps) => {
      const { active } = await deps.calls.users.checkUser(ctx, { userId: input.userId });
      if (!active) throw orderErrors.USER_INACTIVE();
    },
  })
  .step('reserve-stock', {
    kind: 'compensatable',
    run: async (ctx, { sagaId, input }, deps) => {
      const { id, expiresAt } = await deps.calls.inventory.reserveStock(ctx, {
        orderId: sagaId,
        lines: [...input.lines],
        ttlSeconds: Math.ceil(deps.settings.reservationTtl / 1000),
      });
      return { reservationId: id, heldUntil: expiresAt ? timestampMs(expiresAt) : null };
    },
    undo: (ctx, { sagaId }, deps) =>
      deps.calls.inventory.releaseStock(ctx, { orderId: sagaId, reason: 'ORDER_REJECTED' }),
  })
  .step('authorize-payment', {
    kind: 'compensatable',
    timeoutMs: 15_000,
    // A provider that is away refuses at once: as many as there is time for, so that the deadline of the order decides and not their number.
    retry: { attempts: 200, maxDelayMs: 10_000 },
    run: async (ctx, { sagaId, input }, deps) => {
      const { id } = await deps.calls.payments.authorizePayment(ctx, {
        orderId: sagaId,
        userId: input.userId,
        paymentMethodId: input.paymentMethodId,
        amount: moneyMessage(input.total),
      });
      return { paymentId: id };
    },
    undo: (ctx, { sagaId }, deps) =>
      deps.calls.payments.voidPayment(ctx, { orderId: sagaId, reason: 'ORDER_REJECTED' }),
  })
  .step('confirm-order', {
    kind: 'pivot',
    run: (ctx, { sagaId, results }, deps) =>
      confirmOrder(ctx, deps, sagaId, results['authorize-payment'].paymentId, results['reserve-stock'].heldUntil),
  })
  .parallel((group) =>
    group
      .step('capture-payment', {
        kind: 'retriable',
        timeoutMs: 15_000,
        // Few orders are ever between hold and capture when the provider goes away, so they may ask as often as those that wait for the hold.
        retry: { maxDelayMs: 10_000 },
        run: async (ctx, { sagaId }, deps) => {
          const { status } = await deps.calls.payments.capturePayment(ctx, { orderId: sagaId });
          return { status: Payment_Status[status] };
        },
      })
      .step('commit-stock', {
        kind: 'retriable',
        run: async (ctx, { sagaId }, deps) => {
          await deps.calls.inventory.commitReservation(ctx, { orderId: sagaId });
          return {};
        },
      }),
  )
  .step('arrange-shipping', {
    kind: 'retriable',
    run: async (ctx, { sagaId, input }, deps) => {
      const address = (await findAddresses(deps.db.at(ctx), [sagaId])).get(sagaId);
      // The order ended and its customer was forgotten in the meantime: there is nowhere to ship to.
      if (address === undefined) return { shipmentId: '' };
      const { id } = await deps.calls.shipping.arrangeShipment(ctx, {
        orderId: sagaId,
        userId: input.userId,
        address,
        lines: [...input.lines],
      });
      return { shipmentId: id };
    },
  })
  .parallel((group) =>
    group
      .step('record-progress', {
        kind: 'retriable',
        run: (ctx, { sagaId, results }, deps) => recordProgress(ctx, deps, sagaId, results['capture-payment'].status),
      })
      .step('award-points', {
        kind: 'retriable',
        run: async (ctx, { sagaId, input }, deps) => {
          const { points } = await deps.calls.loyalty.awardPoints(ctx, {
            orderId: sagaId,
            userId: input.userId,
            amount: moneyMessage(input.total),
          });
          return { points };
        },
      }),
  )
  .step('notify', {
    kind: 'retriable',
    run: async (ctx, { sagaId, input, results }, deps) => {
      // Cancelled in the meantime: its customer was told so, and must not read the good news after it.
      if (results['record-progress'].status === 'CANCELLED') return {};
      await deps.calls.notifications.notify(ctx, {
        userId: input.userId,
        template: 'order-confirmed',
        data: {
          orderId: sagaId,
          currency: input.total.currency,
          minorUnits: input.total.minorUnits,
          points: String(results['award-points'].points),
        },
        dedupKey: `${sagaId}/confirmed`,
      });
      return {};
    },
  })
  .onCompensated((ctx: Context, { sagaId, failure }, deps) => rejectOrder(ctx, deps, sagaId, rejectionReason(failure)))
  .define();

/** The catalogue key without its package: `INVENTORY_OUT_OF_STOCK` is told to the customer as `OUT_OF_STOCK`. */
const rejectionReason = ({ reason }: SagaFailure): string => reason.replace(/^[A-Z]+_/, '');
