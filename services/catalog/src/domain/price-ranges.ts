import { exponentOf } from './money.ts';

/** Where ranges of prices begin, in whole units of a currency like the euro. */
const BEGINNINGS = [0, 10, 25, 50, 100, 250, 500, 1000];

/** One unit of a currency without minor units buys about a hundredth of a euro. */
const SMALL_UNIT = 100;

/** Where ranges of prices begin, in minor units. */
export function priceBounds(currency: string): readonly number[] {
  const exponent = exponentOf(currency);
  const unit = exponent === 0 ? SMALL_UNIT : 10 ** exponent;
  return BEGINNINGS.map((beginning) => beginning * unit);
}
