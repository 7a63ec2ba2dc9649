/**
 * The state that events lead to.
 *
 * @param evolve Pure: the state after one more event.
 */
export const fold = <TState, TEvent>(
  evolve: (state: TState, event: TEvent) => TState,
  initial: TState,
  events: Iterable<TEvent>,
): TState => {
  let state = initial;
  for (const event of events) state = evolve(state, event);
  return state;
};

/** Business rules of one kind of stream: what a command leads to, and what an event changes. Both are pure. */
export interface Decider<TState, TCommand, TEvent> {
  readonly initial: TState;
  /** @throws the domain's own error when the command is refused */
  decide(state: TState, command: TCommand): readonly TEvent[];
  evolve(state: TState, event: TEvent): TState;
}
