import type { ConsumerControl, DeadLetters } from '@souk/messaging';

/** What operators can look at and steer in one service. */
export interface ServiceOperators {
  readonly service: string;
  /** Types of events that it hears. */
  readonly hears: readonly string[];
  readonly deadLetters: DeadLetters;
  readonly consumer: ConsumerControl;
}
