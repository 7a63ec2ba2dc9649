/** What an instance can do now; the same three conditions as Kubernetes' EndpointSlices. `ready` is never true while `terminating`. */
export interface Conditions {
  /** Takes new work. */
  readonly ready: boolean;
  /** Finishes what it has: open streams, callers that stick to it. */
  readonly serving: boolean;
  /** On its way out. There is no way back but a new incarnation. */
  readonly terminating: boolean;
}

/** What a process says of itself when it registers. */
export interface Registration {
  /** Unique in the registry, stable over restarts of the same slot: `orders-1`. */
  readonly id: string;
  /** `orders`. */
  readonly service: string;
  /** Host name or IP address. */
  readonly address: string;
  readonly port: number;
  readonly protocol: 'http' | 'https';
  /** Of the software: what traffic is split by. */
  readonly version: string;
  /** Where it runs: neighbours are preferred. Empty: nowhere in particular. */
  readonly zone: string;
  /** Share of the traffic beside others, from 0 (none) to 65535. */
  readonly weight: number;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  /**
   * One run of the process: tells it from the one before under the same id. The later run has the greater one, compared as text, as
   * `runtime.ids.uuid()` gives them: of two that claim an id it is the one that counts.
   */
  readonly incarnation: string;
}

/** One process that serves, as a registry knows it. */
export interface Instance extends Registration, Conditions {}

export const UP: Conditions = Object.freeze({ ready: true, serving: true, terminating: false });
export const STARTING: Conditions = Object.freeze({ ready: false, serving: false, terminating: false });
export const DRAINING: Conditions = Object.freeze({ ready: false, serving: true, terminating: true });
