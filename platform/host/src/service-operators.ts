import type { DescMessage } from '@bufbuild/protobuf';
import type { ProjectionAdmin } from '@souk/eventstore';
import type { ConsumerControl, DeadLetters, Publisher } from '@souk/messaging';
import type { SagaAdmin, StuckNotice } from '@souk/saga';
import type { Transaction } from '@souk/store';

/** What operators can look at and steer in one service. */
export interface ServiceOperators {
  readonly service: string;
  readonly sagas: SagaAdmin;
  /** Types of events that it hears. */
  readonly hears: readonly string[];
  readonly deadLetters: DeadLetters;
  readonly consumer: ConsumerControl;
  /** Read models and reactions to its own events. */
  readonly projections: ProjectionAdmin;
}

/** How the world is told that a saga waits for a person. The event is the app's: the platform knows no contract. */
export interface StuckTeller {
  /** What each service that has sagas publishes besides its own events. */
  readonly publishes: readonly DescMessage[];
  /** Publishes in `tx`: each entry into STUCK is told once, whatever crashes. */
  tell(publisher: Publisher, tx: Transaction, notice: StuckNotice & { readonly service: string }): Promise<void>;
}
