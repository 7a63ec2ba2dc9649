import type { OrderCancelled } from '@souk/contracts/orders/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import type { InventoryDeps } from '../deps.ts';
import { giveBack } from '../store/reservation-repository.ts';
import { announceReleased, releaseIn } from './release-stock.ts';

const REASON = 'ORDER_CANCELLED';

/** A cancelled order gives back what it holds or had bought. */
export const returnStock =
  (deps: InventoryDeps) => async (_ctx: Context, event: OrderCancelled, delivery: Delivery) => {
    await delivery.once(async (tx) => {
      const now = new Date(deps.runtime.clock.now());
      // In this order: a sale that commits meanwhile is waited for by the release, and seen by what comes after it.
      if (await releaseIn(tx, deps, event.orderId, REASON)) return;
      const returned = await giveBack(tx, event.orderId, now);
      if (returned) await announceReleased(tx, deps, returned, REASON, now);
    });
  };
