import type { EventStore } from '@souk/eventstore';
import type { Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createOrderRepository, type OrderRepository } from './store/order-repository.ts';
import { createOutcomeWaiters, type OutcomeWaiters } from './usecases/outcome-waiters.ts';

/** What handlers, consumers and the saga of this service share. */
export interface OrdersParts {
  readonly orders: OrderRepository;
  readonly waiters: OutcomeWaiters;
}

export const createParts = (deps: { db: Database; runtime: Runtime; eventStore: EventStore }): OrdersParts => ({
  orders: createOrderRepository(deps.db, deps.eventStore),
  waiters: createOutcomeWaiters(deps.runtime),
});
