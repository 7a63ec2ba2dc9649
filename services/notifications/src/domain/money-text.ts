/**
 * An amount as people read it: `EUR 19.99`, `JPY 1999`. Plain, the same on every machine.
 *
 * @param minorUnits Decimal text.
 * @param exponent Decimals of the currency (ISO 4217).
 */
export function moneyText(currency: string, minorUnits: string, exponent: number): string {
  const negative = minorUnits.startsWith('-');
  const digits = minorUnits.replace('-', '').padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = exponent === 0 ? '' : `.${digits.slice(-exponent)}`;
  return `${currency} ${negative ? '-' : ''}${whole}${fraction}`;
}
