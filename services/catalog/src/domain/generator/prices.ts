import type { Random } from '@souk/kernel';
import type { Money } from '../money.ts';
import { exponential, normal } from './draw.ts';

/** Deviation of the logarithm of prices within a category. */
const SPREAD = 0.45;
const CHEAPEST = 99;
const USD_PER_EUR = 1.1;
const JPY_PER_EUR = 162;

/** A log-normal price around `median` (EUR cents), as shops write it, in three currencies. */
export function shopPrices(random: Random, median: number): readonly Money[] {
  const cents = median * exponential(normal(random) * SPREAD);
  return [
    { currency: 'EUR', minorUnits: charmCents(cents) },
    { currency: 'USD', minorUnits: charmCents(cents * USD_PER_EUR) },
    { currency: 'JPY', minorUnits: charmYen((cents / 100) * JPY_PER_EUR) },
  ];
}

/** The nearest .49 or .99 below 20, the nearest .99 above, the nearest 9.99 from 200 on. */
function charmCents(cents: number): bigint {
  const step = cents < 2_000 ? 50 : cents < 20_000 ? 100 : 1_000;
  return BigInt(Math.max(CHEAPEST, Math.round(cents / step) * step - 1));
}

/** 480, 980, 12,800: yen prices end in 80 below 10,000 and in 800 above. */
function charmYen(yen: number): bigint {
  const [step, below] = yen < 10_000 ? [100, 20] : [1_000, 200];
  return BigInt(Math.max(step, Math.round(yen / step) * step) - below);
}
