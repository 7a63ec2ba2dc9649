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
  /** Longest wait in milliseconds. While the queue was never empty for 100 ms it is 5 ms, and the latest goes first. @default 100 */
  readonly queueTimeoutMs?: number;
}

export interface ShedSettings {
  readonly limit: AdaptiveLimitSettings;
  readonly queueFactor: number;
  readonly queueTimeoutMs: number;
}

/** @throws RESILIENCE_BAD_OPTION */
export const resolveShed = (options: ShedOptions = {}): ShedSettings =>
  Object.freeze({
    limit: resolveAdaptiveLimit(options.limit),
    queueFactor: atLeast('shed.queueFactor', options.queueFactor ?? 3, 0),
    queueTimeoutMs: atLeast('shed.queueTimeoutMs', options.queueTimeoutMs ?? 100, 0),
  });
