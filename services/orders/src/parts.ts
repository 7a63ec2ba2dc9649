import type { EventStore } from '@souk/eventstore';
import type { Logger, Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createOrderRepository, type OrderRepository } from './store/order-repository.ts';
import { createOrderFeed, type OrderFeed } from './usecases/order-feed.ts';
import { createOutcomeWaiters, type OutcomeWaiters } from './usecases/outcome-waiters.ts';

/** What handlers, consumers and the saga of this service share. */
export interface OrdersParts {
  readonly orders: OrderRepository;
  readonly waiters: OutcomeWaiters;
  readonly feed: OrderFeed;
}

export function createParts(deps: {
  readonly db: Database;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly eventStore: EventStore;
}): OrdersParts {
  const feed = createOrderFeed(deps);
  return {
    orders: createOrderRepository(deps.db, deps.eventStore, (order) => feed.changed(order.id, order.version)),
    waiters: createOutcomeWaiters(deps.runtime),
    feed,
  };
}
