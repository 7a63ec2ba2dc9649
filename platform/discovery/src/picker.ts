import type { Instance } from './instance.ts';
import type { ServiceView } from './registry.ts';

/** What is known of a call when an instance is chosen for it. */
export interface PickRequest {
  /** What calls stick by: a user's id, a session, an address. Undefined: any instance is as good. */
  readonly key?: string | undefined;
  /** Ids of instances that this call has tried already: avoided while there are others. */
  readonly avoid?: ReadonlySet<string> | undefined;
  /** Demands a version, as a tester does; when it has no instance the split decides. */
  readonly version?: string | undefined;
}

/** How a call on an instance ended, for whoever chooses the next. */
export interface Outcome {
  /**
   * `ok`: also errors that are the caller's own (4xx). `error`: the instance answered that it failed (5xx). `unreachable`: no answer at all,
   * or not in time. `canceled`: the caller gave up; says nothing.
   */
  readonly kind: 'ok' | 'error' | 'unreachable' | 'canceled';
}

/** A choice. `done` is called exactly once: what runs is counted until then. */
export interface Picked {
  readonly instance: Instance;
  done(outcome: Outcome): void;
}

/** Chooses instances of one service. Synchronous: a pick never waits. */
export interface Picker {
  /** Takes over what the registry says now. What is known of instances that stay is kept. */
  update(view: ServiceView): void;
  /** @returns undefined when no instance may be asked */
  pick(request: PickRequest): Picked | undefined;
  /** Chooses an instance that gets a copy of the call, whose answer is for nobody. @returns undefined when this call is not copied */
  mirror?(request: PickRequest): Picked | undefined;
  /** Why nobody can be picked, in words, for DISCOVERY_NO_INSTANCE. */
  explain?(): string;
  close(): void;
}
