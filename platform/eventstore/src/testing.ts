import assert from 'node:assert/strict';
import { type Decider, fold } from './fold.ts';

/** What is expected of a command. */
export interface Expectation<TEvent> {
  then(expected: readonly TEvent[]): void;
  /** @param reason Of the SoukError that refuses the command. */
  thenRefused(reason: string): void;
}

/**
 * Says what business rules do, without a database: `given(orderDecider, [placed]).when(cancel).then([cancelled])`.
 *
 * @param events What has happened.
 */
export function given<TState, TCommand, TEvent>(
  decider: Decider<TState, TCommand, TEvent>,
  events: readonly TEvent[],
): { when(command: TCommand): Expectation<TEvent> } {
  const state = fold(decider.evolve, decider.initial, events);
  return {
    when: (command) => ({
      // biome-ignore lint/suspicious/noThenProperty: given, when, then is how these sentences are read; nobody awaits them
      then: (expected) => assert.deepEqual(decider.decide(state, command), expected),
      thenRefused: (reason) => {
        assert.throws(() => decider.decide(state, command), { reason });
      },
    }),
  };
}
