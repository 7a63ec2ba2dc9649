import type { RegistryHealth } from '@souk/discovery';
import type { Clock, Logger } from '@souk/kernel';

/** Connected when something has been answered and nothing that is asked for goes wrong. */
export class Health {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #failing = new Map<string, string>();
  readonly #good = new Set<string>();
  #state: RegistryHealth['state'] = 'connecting';
  #sinceMs: number;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
    this.#sinceMs = clock.monotonicMs();
  }

  good(service: string): void {
    this.#failing.delete(service);
    this.#good.add(service);
    if (this.#failing.size === 0) this.#turn('connected');
  }

  bad(service: string, why: string): void {
    if (this.#failing.get(service) !== why) this.#log.warn('the API server is of no use', { service, why });
    this.#good.delete(service);
    // The last one is at the end.
    this.#failing.delete(service);
    this.#failing.set(service, why);
    this.#turn('connecting');
  }

  /** It is not asked for any more. */
  forget(service: string): void {
    this.#good.delete(service);
    this.#failing.delete(service);
    if (this.#failing.size === 0 && this.#good.size > 0) this.#turn('connected');
  }

  close(): void {
    this.#turn('closed');
  }

  read(): RegistryHealth {
    const sinceMs = this.#clock.monotonicMs() - this.#sinceMs;
    return { state: this.#state, sinceMs, lastError: [...this.#failing.values()].at(-1) };
  }

  #turn(state: RegistryHealth['state']): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#sinceMs = this.#clock.monotonicMs();
  }
}
