import { OrderDeliveredSchema, OrderShippedSchema } from '@souk/contracts/orders/v1/events';
import type { Transaction } from '@souk/store';
import { timestamp } from '../api/order-message.ts';
import type { OrdersDeps } from '../deps.ts';
import type { Change } from '../store/order-repository.ts';

/** Publishes that an order was shipped or delivered, and tells those who wait for it. */
export async function announceProgress(tx: Transaction, deps: OrdersDeps, { after, events }: Change): Promise<void> {
  for (const event of events) {
    const facts = { orderId: after.id, userId: after.userId, at: timestamp(event.at) };
    if (event.type === 'OrderShipped') await deps.events.publish(tx, OrderShippedSchema, facts);
    if (event.type === 'OrderDelivered') await deps.events.publish(tx, OrderDeliveredSchema, facts);
  }
  if (events.length > 0) tx.afterCommit(() => deps.parts.waiters.changed(after));
}
