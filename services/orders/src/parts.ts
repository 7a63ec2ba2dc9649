import { createEventStore } from '@souk/eventstore';
import type { Runtime } from '@souk/kernel';
import type { Database } from '@souk/store';
import { createOrderRepository, type OrderRepository } from './store/order-repository.ts';
import { createOutcomeWaiters, type OutcomeWaiters } from './usecases/outcome-waiters.ts';

/** What handlers, consumers and the saga of this service share. */
export interface OrdersParts {
  readonly orders: OrderRepository;
  readonly waiters: OutcomeWaiters;
}

export const createParts = ({ db, runtime }: { db: Database; runtime: Runtime }): OrdersParts => ({
  orders: createOrderRepository(db, createEventStore({ runtime, service: 'orders' })),
  waiters: createOutcomeWaiters(runtime),
});
