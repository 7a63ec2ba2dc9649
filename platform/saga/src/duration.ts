import { sagaErrors } from './errors.ts';

/** A time span: `'500ms'`, `'30s'`, `'15m'`, `'2h'`, `'7d'`. */
export type DurationText = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * @returns milliseconds
 * @throws SAGA_INVALID_DEFINITION
 */
export function parseDuration(saga: string, what: string, text: DurationText): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  if (!(ms > 0)) throw sagaErrors.INVALID_DEFINITION({ saga, why: `${what}: want a time like '15m', got '${text}'` });
  return ms;
}
