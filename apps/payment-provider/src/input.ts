import { providerErrors } from './errors.ts';

const MOST = 1_000_000_000_000;

export type Input = Readonly<Record<string, unknown>>;

/** A body as an object; nothing is an empty one. @throws PROVIDER_MALFORMED */
export function objectOf(body: string): Input {
  if (body === '') return {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Input;
  } catch (cause) {
    throw providerErrors.MALFORMED({ what: 'the body is not JSON' }, { cause });
  }
  throw providerErrors.MALFORMED({ what: 'the body is not an object' });
}

/** An amount in minor units, 1 or more. @throws PROVIDER_MALFORMED */
export function amountOf(input: Input, name: string): number {
  const value = input[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= MOST) return value;
  throw providerErrors.MALFORMED({ what: `${name} is a whole number from 1 to ${MOST}` });
}

/** A text that matches whole. @throws PROVIDER_MALFORMED */
export function textOf(input: Input, name: string, pattern: RegExp, fallback?: string): string {
  const value = input[name] ?? fallback;
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw providerErrors.MALFORMED({ what: `${name} is missing or malformed` });
}
