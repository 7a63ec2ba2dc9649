import type { Random } from '@souk/kernel';
import { atLeast, oneOf } from './check-option.ts';
import { resilienceErrors } from './errors.ts';

export type Growth = 'constant' | 'linear' | 'exponential';
export type Jitter = 'none' | 'full' | 'equal' | 'fifth' | 'decorrelated' | 'smooth';

export interface BackoffOptions {
  /** How the delay grows from retry to retry. @default 'exponential' */
  readonly growth?: Growth;
  /**
   * How callers that failed together are kept apart. With d for the delay by growth:
   * - `full`: anything from 0 to d. Spreads best, so it is the default.
   * - `equal`: half of d, and anything up to the other half.
   * - `fifth`: d, a fifth more or less.
   * - `decorrelated`: from the base to three times the delay before; the delays drift apart, whatever the growth.
   * - `smooth`: decorrelated without clusters, by the formula of Polly's contributors; whatever the growth.
   * - `none`: d. Callers stay together.
   * @default 'full'
   */
  readonly jitter?: Jitter;
  /** Milliseconds before the first retry, before jitter. @default 50 */
  readonly baseMs?: number;
  /** Longest delay in milliseconds, before jitter of a fifth. @default 2000 */
  readonly capMs?: number;
  /** What exponential growth multiplies by. @default 2 */
  readonly factor?: number;
  /** Delays in milliseconds one by one, in place of growth; the last one stays. */
  readonly delaysMs?: readonly number[];
}

export interface BackoffSettings {
  readonly growth: Growth;
  readonly jitter: Jitter;
  readonly baseMs: number;
  readonly capMs: number;
  readonly factor: number;
  readonly delaysMs: readonly number[] | undefined;
}

/** What a call remembers of its delays. Starts as 0. */
export interface BackoffMemory {
  previous: number;
}

const GROWTHS: readonly Growth[] = ['constant', 'linear', 'exponential'];
const JITTERS: readonly Jitter[] = ['none', 'full', 'equal', 'fifth', 'decorrelated', 'smooth'];

/** @throws RESILIENCE_BAD_OPTION */
export function resolveBackoff(options: BackoffOptions = {}): BackoffSettings {
  const { jitter = 'full', delaysMs } = options;
  const own = jitter === 'decorrelated' || jitter === 'smooth';
  if (own && (options.growth !== undefined || delaysMs !== undefined))
    throw resilienceErrors.BAD_OPTION({
      option: 'backoff.jitter',
      want: 'another jitter where growth or delays are given',
      got: jitter,
    });
  if (delaysMs?.length === 0)
    throw resilienceErrors.BAD_OPTION({ option: 'backoff.delaysMs', want: 'at least one delay', got: 'none' });
  return Object.freeze({
    growth: oneOf('backoff.growth', options.growth ?? 'exponential', GROWTHS),
    jitter: oneOf('backoff.jitter', jitter, JITTERS),
    baseMs: atLeast('backoff.baseMs', options.baseMs ?? 50, 0),
    capMs: atLeast('backoff.capMs', options.capMs ?? 2000, 0),
    factor: atLeast('backoff.factor', options.factor ?? 2, 1),
    delaysMs: delaysMs?.map((delay, index) => atLeast(`backoff.delaysMs[${index}]`, delay, 0)),
  });
}

/**
 * Milliseconds to wait before retry number `retry`, 1 being the first. Finite, and at least 0, whatever the number.
 * Formulas: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; smooth: Polly.Contrib.WaitAndRetry.
 */
export function backoffDelay(settings: BackoffSettings, retry: number, memory: BackoffMemory, random: Random): number {
  const { jitter, baseMs, capMs } = settings;
  if (jitter === 'decorrelated') {
    const previous = Math.max(baseMs, memory.previous);
    memory.previous = Math.min(capMs, baseMs + random.next() * (previous * 3 - baseMs));
    return memory.previous;
  }
  if (jitter === 'smooth') {
    // Beyond 2^60 the difference of two steps is no number to wait for.
    const t = Math.min(60, retry - 1 + random.next());
    const reached = 2 ** t * Math.tanh(Math.sqrt(4 * t));
    const delay = (Math.max(0, reached - memory.previous) / 1.4) * baseMs;
    memory.previous = reached;
    return Math.min(capMs, delay);
  }
  const delay = Math.min(capMs, grown(settings, retry));
  if (jitter === 'none') return delay;
  if (jitter === 'full') return random.next() * delay;
  if (jitter === 'equal') return delay / 2 + (random.next() * delay) / 2;
  return delay * (0.8 + 0.4 * random.next());
}

function grown(settings: BackoffSettings, retry: number): number {
  const { growth, baseMs, factor, delaysMs } = settings;
  if (delaysMs !== undefined) return delaysMs[Math.min(retry, delaysMs.length) - 1] ?? 0;
  if (growth === 'constant') return baseMs;
  if (growth === 'linear') return baseMs * retry;
  // Beyond the largest number the power is infinite, and 0 times that is no number.
  return baseMs === 0 ? 0 : baseMs * factor ** (retry - 1);
}
