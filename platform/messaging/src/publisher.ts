import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import type { Transaction } from '@souk/store';

/** Publishes events with the state that causes them. */
export interface Publisher {
  /**
   * Writes an event to the outbox of the service, in the caller's own transaction: it is delivered if and only if the transaction commits. Lock or
   * update the row the event is about before publishing: that is what keeps events of a key in order.
   *
   * @param schema An event of the contract, declared in the service's `publishes`.
   * @throws MESSAGING_UNDECLARED_EVENT, MESSAGING_INVALID_EVENT when the event breaks the rules of its contract,
   * MESSAGING_EVENT_TOO_LARGE above 256 KiB
   */
  publish<TEvent extends DescMessage>(tx: Transaction, schema: TEvent, event: MessageInitShape<TEvent>): Promise<void>;
}
