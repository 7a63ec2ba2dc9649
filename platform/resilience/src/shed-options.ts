import {
  type AdaptiveLimitOptions,
  type AdaptiveLimitSettings,
  resolveAdaptiveLimit,
} from './adaptive-limit-options.ts';
import { atLeast } from './check-option.ts';

export interface ShedOptions {
  /** How many calls at once are best. */
  readonly limit?: AdaptiveLimitOptions;
  /** Calls that may wait, as a multiple of the limit. @default 3 */
  readonly queueFactor?: number;
  /** Longest wait in milliseconds. @default 100 */
  readonly queueTimeoutMs?: number;
  /** Milliseconds without an empty queue that mean overload. Then the latest goes first. @default 100 */
  readonly overloadAfterMs?: number;
  /** Longest wait in milliseconds while overloaded. @default 5 */
  readonly overloadWaitMs?: number;
}

export interface ShedSettings {
  readonly limit: AdaptiveLimitSettings;
  readonly queueFactor: number;
  readonly queueTimeoutMs: number;
  readonly overloadAfterMs: number;
  readonly overloadWaitMs: number;
}

/** @throws RESILIENCE_BAD_OPTION */
export const resolveShed = (options: ShedOptions = {}): ShedSettings =>
  Object.freeze({
    limit: resolveAdaptiveLimit(options.limit),
    queueFactor: atLeast('shed.queueFactor', options.queueFactor ?? 3, 0),
    queueTimeoutMs: atLeast('shed.queueTimeoutMs', options.queueTimeoutMs ?? 100, 0),
    overloadAfterMs: atLeast('shed.overloadAfterMs', options.overloadAfterMs ?? 100, 0),
    overloadWaitMs: atLeast('shed.overloadWaitMs', options.overloadWaitMs ?? 5, 0),
  });
