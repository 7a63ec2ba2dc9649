import type { Conditions, Instance, Registration } from './instance.ts';

/** What is known of a service at one moment. */
export interface ServiceView {
  /** Every instance that is not gone, also those that take no work. */
  readonly instances: readonly Instance[];
  /**
   * `registry`: as the registry says. `kept`: the registry is out of reach or cannot be believed, and this is what it last said.
   * `disk`: it has not been reached since this process started, and this is what another run was told.
   */
  readonly source: 'registry' | 'kept' | 'disk';
}

export interface RegistryHealth {
  readonly state: 'connecting' | 'connected' | 'closed';
  /** Milliseconds in this state. */
  readonly sinceMs: number;
  readonly lastError: string | undefined;
}

/** An instance that is registered, and stays so until it says good-bye or is not heard of any more. */
export interface Registered {
  /**
   * Tells the others what it can do from now on. Resolves when the registry has it, or after a few seconds when it is out of reach: then
   * it is told as soon as it can be. Has no effect once a later run of the same id has registered.
   *
   * @throws DISCOVERY_REGISTRATION_REFUSED for conditions that contradict each other
   */
  update(conditions: Conditions): Promise<void>;
  /**
   * Takes it out. After it nothing of this object has an effect. A registry that is out of reach finds out by itself: nobody waits for it
   * longer than a few seconds.
   */
  deregister(): Promise<void>;
}

export interface Watch {
  /** Nothing is told after this. */
  close(): void;
}

/**
 * Where instances make themselves known and find each other. Implementations keep trying for ever: a registry that is lost and comes back,
 * also without its memory, has all registrations of this process again within a heartbeat, and every watch goes on.
 */
export interface Registry {
  /** `memory`, `file`, `consul`, `etcd`, `kubernetes`. */
  readonly name: string;
  /**
   * Makes an instance known. Resolves when the registry has it, or after a few seconds when it is out of reach: then it is registered as
   * soon as it can be.
   *
   * @param conditions What it can do at first.
   * @throws DISCOVERY_REGISTRATION_REFUSED for what no repeat can help
   */
  register(registration: Registration, conditions: Conditions): Promise<Registered>;
  /**
   * Tells what a service's instances are, at once when it is known, and after each change. The same set is not told twice in a row. An
   * unknown service has none.
   */
  watch(service: string, listener: (instances: readonly Instance[]) => void): Watch;
  health(): RegistryHealth;
  /** Ends watches and heartbeats. Registrations that are still there are taken out. */
  close(): Promise<void>;
}
