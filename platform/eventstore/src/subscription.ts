import type { Context } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import type { RecordedEvent } from './event.ts';
import { checkFollower, type Interest } from './projection.ts';

/** One delivery of one event to one subscription. */
export interface EventDelivery {
  /** 1 for the first in this process. */
  readonly attempt: number;
  /**
   * Runs `work` in a transaction that also moves the subscription past the event: its effects happen exactly once. Calls to other services belong
   * before or after, never inside.
   *
   * @throws PROJECTION_FENCED when another process has the partition by now: nothing was done
   */
  once<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/**
 * Handles an event. The subscription moves on when the promise resolves. When it rejects, the event is tried again with backoff as long as its error says
 * that this may help; otherwise it is parked with all later events of its stream.
 */
export type StoredEventHandler = (ctx: Context, event: RecordedEvent, delivery: EventDelivery) => Promise<unknown>;

export interface SubscriptionInit<TDeps> extends Interest {
  /** Lower case, digits and dashes; unique in its service, projections included. It never changes: progress is kept under it. */
  readonly name: string;
  /** Called once, with the service's dependencies. */
  readonly handle: (deps: TDeps) => StoredEventHandler;
  /** Consumers that may work side by side; a stream is always in the same. Fixed at its first start. @default 4 */
  readonly partitions?: number;
  /** Where it begins at its very first start. @default 'beginning' */
  readonly from?: 'beginning' | 'now';
}

/** A service's own reaction to its own events. */
export interface EventSubscription<TDeps> extends Required<SubscriptionInit<TDeps>> {
  readonly kind: 'subscription';
}

/** @throws PROJECTION_INVALID */
export function defineSubscription<TDeps>(init: SubscriptionInit<TDeps>): EventSubscription<TDeps> {
  const definition: EventSubscription<TDeps> = {
    kind: 'subscription',
    categories: [],
    types: [],
    partitions: 4,
    from: 'beginning',
    ...init,
  };
  checkFollower(definition);
  return Object.freeze(definition);
}
