import { atLeast, oneOf, wholeAtLeast } from './check-option.ts';

/**
 * - `fifo`: who waits longest is next.
 * - `lifo`: who came last is next: the one whose caller most probably still waits.
 * - `adaptive`: fifo, and lifo while the queue has not been empty for `overloadAfterMs` (CoDel for calls).
 */
export type QueueOrder = 'fifo' | 'lifo' | 'adaptive';

export interface GateOptions {
  /** Calls at the same time. By Little's law: calls per second * p99 in seconds * 1.3. */
  readonly limit: number;
  /** Calls that may wait. 0: none; what finds no slot is refused. @default 0 */
  readonly queueLimit?: number;
  /** Longest wait in milliseconds. @default no limit but the call's deadline */
  readonly queueTimeoutMs?: number;
  /** @default 'fifo' */
  readonly order?: QueueOrder;
  /** For `adaptive`: milliseconds without an empty queue that mean overload. @default 100 */
  readonly overloadAfterMs?: number;
  /** For `adaptive`: longest wait in milliseconds while overloaded. @default 5 */
  readonly overloadWaitMs?: number;
}

export interface GateSettings {
  readonly limit: number;
  readonly queueLimit: number;
  /** `Infinity`: no limit. */
  readonly queueTimeoutMs: number;
  readonly order: QueueOrder;
  readonly overloadAfterMs: number;
  readonly overloadWaitMs: number;
}

const ORDERS: readonly QueueOrder[] = ['fifo', 'lifo', 'adaptive'];

/** @throws RESILIENCE_BAD_OPTION */
export function resolveGate(options: GateOptions): GateSettings {
  return Object.freeze({
    limit: wholeAtLeast('bulkhead.limit', options.limit, 1),
    queueLimit: wholeAtLeast('bulkhead.queueLimit', options.queueLimit ?? 0, 0),
    queueTimeoutMs: atLeast('bulkhead.queueTimeoutMs', options.queueTimeoutMs ?? Number.POSITIVE_INFINITY, 0),
    order: oneOf('bulkhead.order', options.order ?? 'fifo', ORDERS),
    overloadAfterMs: atLeast('bulkhead.overloadAfterMs', options.overloadAfterMs ?? 100, 0),
    overloadWaitMs: atLeast('bulkhead.overloadWaitMs', options.overloadWaitMs ?? 5, 0),
  });
}
