/** An amount of a currency as an integer count of its smallest unit. */
export interface Money {
  /** ISO 4217 code. */
  readonly currency: string;
  readonly minorUnits: bigint;
}

/** What one product costs: minor units by currency. */
export type Prices = Readonly<Record<string, bigint>>;

export const DEFAULT_CURRENCY = 'EUR';

/** Highest price, in minor units of any currency. Prices stay far inside the integers that a double holds. */
export const HIGHEST_PRICE = 1_000_000_000_000n;

const WITHOUT_MINOR_UNIT = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF UYI'.split(' ');
const THREE_DIGITS = 'BHD IQD JOD KWD LYD OMR TND'.split(' ');
const FOUR_DIGITS = 'CLF UYW'.split(' ');

/** Decimal digits of a currency's minor unit by ISO 4217: 2 for EUR, 0 for JPY, 3 for KWD. */
export function exponentOf(currency: string): number {
  if (WITHOUT_MINOR_UNIT.includes(currency)) return 0;
  if (THREE_DIGITS.includes(currency)) return 3;
  return FOUR_DIGITS.includes(currency) ? 4 : 2;
}

/** The one price in a currency, if there is one. */
export function priceIn(prices: Prices, currency: string): Money | undefined {
  const minorUnits = prices[currency];
  return minorUnits === undefined ? undefined : { currency, minorUnits };
}
