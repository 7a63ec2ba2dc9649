import { appErrors } from '../errors.ts';

interface OfService {
  readonly service: string;
}

/** @param service Empty for all. @throws APP_NO_SERVICE, which names those there are */
export function chosen<T extends OfService>(operators: readonly T[], service: string): readonly T[] {
  if (service === '') return operators;
  const found = operators.filter((one) => one.service === service);
  if (found.length > 0) return found;
  throw appErrors.NO_SERVICE({ service, services: operators.map((one) => one.service).join(', ') });
}

/** @throws APP_NO_SERVICE */
export const theOne = <T extends OfService>(operators: readonly T[], service: string): T =>
  chosen(operators, service)[0] as T;

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `10m`; its contract allows nothing else. */
export const durationMs = (text: string): number | undefined =>
  text === '' ? undefined : Number(text.slice(0, -1)) * (UNITS[text.slice(-1)] as number);

/** Empty texts of a contract mean "not given". */
export const given = (text: string): string | undefined => (text === '' ? undefined : text);
