import { resilienceErrors } from './errors.ts';

/** @throws RESILIENCE_BAD_OPTION */
export const refuse = (option: string, want: string, got: unknown): never => {
  throw resilienceErrors.BAD_OPTION({ option, want, got: shown(got) });
};

/** As whoever wrote it will know it again. */
function shown(got: unknown): string {
  if (got === undefined) return 'nothing';
  return typeof got === 'object' ? JSON.stringify(got) : String(got);
}

/** The value, if it is a number of at least `min`. @throws RESILIENCE_BAD_OPTION */
export const atLeast = (option: string, value: number, min: number): number =>
  typeof value === 'number' && value >= min ? value : refuse(option, `a number of at least ${min}`, value);

/** The value, if it is a whole number of at least `min`. @throws RESILIENCE_BAD_OPTION */
export const wholeAtLeast = (option: string, value: number, min: number): number =>
  Number.isSafeInteger(value) && value >= min ? value : refuse(option, `a whole number of at least ${min}`, value);

/** The value, if it is from 0 to 1. @throws RESILIENCE_BAD_OPTION */
export const ratio = (option: string, value: number): number =>
  typeof value === 'number' && value >= 0 && value <= 1 ? value : refuse(option, 'a number from 0 to 1', value);

/** The value, if it is one of those that there are. @throws RESILIENCE_BAD_OPTION */
export const oneOf = <T extends string>(option: string, value: T, allowed: readonly T[]): T =>
  allowed.includes(value) ? value : refuse(option, `one of ${allowed.join(', ')}`, value);
