/** A whole unit has at least two decimals here: a hundred yen count like one euro. */
const LEAST_EXPONENT = 2;

/**
 * Points for an amount of money, rounded down: whole units x rate / 100.
 *
 * @param minorUnits Amount in the currency's minor units; nothing or less earns nothing.
 * @param exponent Decimals of the currency (ISO 4217).
 * @param pointsPerHundred Points for every 100 whole units.
 */
export function pointsFor(minorUnits: bigint, exponent: number, pointsPerHundred: number): number {
  if (minorUnits <= 0n) return 0;
  const hundredUnits = 100n * 10n ** BigInt(Math.max(exponent, LEAST_EXPONENT));
  return Number((minorUnits * BigInt(pointsPerHundred)) / hundredUnits);
}
