import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Context } from '@souk/kernel';
import type { Transaction } from '@souk/store';
import type { Envelope } from './envelope.ts';

/** One delivery of one event to one consumer. The same event may be delivered more than once. */
export interface Delivery {
  readonly envelope: Envelope;
  /** 1 for the first. */
  readonly attempt: number;
  /**
   * Runs `work` in a transaction that also records the event in the inbox: the effects of `work` happen exactly once per event and
   * consumer. Calls to other services belong before or after, never inside, where they would hold the transaction open.
   *
   * @returns what `work` returned, or `undefined` when this consumer has already handled the event
   */
  once<T>(work: (tx: Transaction) => Promise<T>): Promise<T | undefined>;
}

/**
 * Handles an event. The delivery is acknowledged when the promise resolves; when it rejects, the event is retried with backoff, and after the last
 * attempt, or at once when the error says that a retry cannot help, it becomes a dead letter.
 */
export type EventHandler<TEvent extends DescMessage = DescMessage> = (
  ctx: Context,
  event: MessageShape<TEvent>,
  delivery: Delivery,
) => Promise<unknown>;

export interface SubscriptionOptions {
  /** Events of one key are handled one after another, and a failing one holds back later ones of its key. @default true */
  readonly ordered?: boolean;
  /**
   * What a dead letter means for later events of its key: `skip` goes on without it; `block` keeps them parked behind it until it is
   * redriven or discarded. Only for ordered events. @default 'skip'
   */
  readonly onDeadLetter?: DeadLetterPolicy;
}

export type DeadLetterPolicy = 'skip' | 'block';

/** A service's interest in one type of event. */
export interface Subscription<TDeps> {
  readonly schema: DescMessage;
  readonly ordered: boolean;
  readonly onDeadLetter: DeadLetterPolicy;
  make(deps: TDeps): EventHandler<DescMessage>;
}

/**
 * Declares what a service does when an event arrives.
 *
 * @param schema An event of any service's contract.
 * @param make Given the service's dependencies, returns the handler.
 */
export function on<TDeps, TEvent extends DescMessage>(
  schema: TEvent,
  make: (deps: TDeps) => EventHandler<TEvent>,
  options: SubscriptionOptions = {},
): Subscription<TDeps> {
  return {
    schema,
    ordered: options.ordered ?? true,
    onDeadLetter: options.onDeadLetter ?? 'skip',
    make: make as unknown as Subscription<TDeps>['make'],
  };
}
