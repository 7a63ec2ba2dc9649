import { atLeast } from './check-option.ts';
import type { PolicyConfig, TimeoutOptions } from './policy-config.ts';

/** Thresholds that follow what was seen lately, within bounds. */
export interface DynamicOptions {
  /** The timeout of an attempt is `factor` times the 99th percentile. */
  readonly timeout?: { readonly factor?: number; readonly minMs: number; readonly maxMs: number };
  /** The limit of the bulkhead is, by Little's law, calls per second * p99 in seconds * 1.3. */
  readonly bulkhead?: { readonly min: number; readonly max: number };
}

/** What was seen. */
export interface Observed {
  /** Milliseconds; undefined: too little to say. */
  readonly p99Ms: number | undefined;
  readonly callsPerSecond: number;
}

const ROOM = 1.3;
/** A change of less than a tenth is noise. */
const WORTH_IT = 0.1;

/** @throws RESILIENCE_BAD_OPTION */
export function checkDynamic({ timeout, bulkhead }: DynamicOptions): void {
  if (timeout !== undefined) {
    atLeast('dynamic.timeout.factor', timeout.factor ?? 3, 1);
    atLeast('dynamic.timeout.maxMs', timeout.maxMs, atLeast('dynamic.timeout.minMs', timeout.minMs, 1));
  }
  if (bulkhead !== undefined)
    atLeast('dynamic.bulkhead.max', bulkhead.max, atLeast('dynamic.bulkhead.min', bulkhead.min, 1));
}

/** The configuration with what follows the traffic; the same object when nothing is worth a change. */
export function adaptConfig(
  config: PolicyConfig,
  now: PolicyConfig,
  { p99Ms, callsPerSecond }: Observed,
): PolicyConfig {
  const { timeout, bulkhead } = config.dynamic ?? {};
  if (p99Ms === undefined) return now;
  let next = now;
  if (timeout !== undefined) {
    const ms = Math.round(within(p99Ms * (timeout.factor ?? 3), timeout.minMs, timeout.maxMs));
    const before = timeoutOf(now.timeout);
    if (isChange(before.ms, ms)) next = { ...next, timeout: { ...before, ms } };
  }
  if (bulkhead !== undefined) {
    const limit = Math.ceil(within((callsPerSecond * p99Ms * ROOM) / 1000, bulkhead.min, bulkhead.max));
    const before = now.bulkhead ?? { limit: bulkhead.max };
    if (isChange(before.limit, limit)) next = { ...next, bulkhead: { ...before, limit } };
  }
  return next;
}

const within = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

const isChange = (before: number, after: number): boolean => Math.abs(after - before) > before * WORTH_IT;

const timeoutOf = (timeout: number | TimeoutOptions | undefined): TimeoutOptions =>
  typeof timeout === 'number' ? { ms: timeout } : (timeout ?? { ms: Number.MAX_SAFE_INTEGER });
