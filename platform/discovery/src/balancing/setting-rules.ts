import { discoveryErrors } from '../errors.ts';

/** Reads one setting out of what a file says. @throws DISCOVERY_INVALID_OPTION */
export type Rule<T> = (at: string, given: unknown) => T;
/** A rule for each field: one that is added to the type and not here does not compile. */
export type Rules<T> = { readonly [K in keyof T]-?: Rule<T[K]> };

const refuse = (option: string, wanted: string, given: unknown): never => {
  throw discoveryErrors.INVALID_OPTION({ option, wanted, found: show(given) });
};

const show = (given: unknown): string => {
  if (given === undefined) return 'nothing';
  return typeof given === 'number' ? String(given) : (JSON.stringify(given)?.slice(0, 80) ?? typeof given);
};

interface Range {
  readonly min?: number;
  readonly max?: number;
  /** Not only `min` and more, but more. */
  readonly above?: number;
  /** Also allowed, though out of range. */
  readonly or?: number;
}

const inWords = (kind: string, { min, max, above, or }: Range): string => {
  const range = [
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(min === undefined ? [] : [`of at least ${min}`]),
    ...(max === undefined ? [] : [`of at most ${max}`]),
  ].join(' and ');
  return `${kind} ${range}${or === undefined ? '' : `, or ${or}`}`;
};

const within = (value: number, { min, max, above, or }: Range): boolean =>
  value === or ||
  ((min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above));

export const decimal =
  (fallback: number | undefined, range: Range): Rule<number> =>
  (at, given) => {
    const value = given ?? fallback;
    return typeof value === 'number' && Number.isFinite(value) && within(value, range)
      ? value
      : refuse(at, inWords('a number', range), given);
  };

export const whole =
  (fallback: number, range: Range): Rule<number> =>
  (at, given) => {
    const value = given ?? fallback;
    return Number.isSafeInteger(value) && within(value as number, range)
      ? (value as number)
      : refuse(at, inWords('a whole number', range), given);
  };

export const flag =
  (fallback: boolean): Rule<boolean> =>
  (at, given) => {
    const value = given ?? fallback;
    return typeof value === 'boolean' ? value : refuse(at, 'true or false', given);
  };

export const choice =
  <T extends string>(fallback: T, allowed: readonly T[]): Rule<T> =>
  (at, given) => {
    const value = (given ?? fallback) as T;
    return allowed.includes(value) ? value : refuse(at, `one of ${allowed.join(', ')}`, given);
  };

/** @param fallback Undefined: it must be given and not be empty. */
export const text =
  (fallback: string | undefined): Rule<string> =>
  (at, given) => {
    const value = given ?? fallback;
    if (typeof value === 'string' && (fallback !== undefined || value !== '')) return value;
    return refuse(at, fallback === undefined ? 'a text that is not empty' : 'a text', given);
  };

export const texts: Rule<Readonly<Record<string, string>>> = (at, given) => {
  const entries = Object.entries(plainObject(at, given, 'an object of texts'));
  const odd = entries.find(([, value]) => typeof value !== 'string');
  return odd === undefined
    ? Object.freeze(Object.fromEntries(entries) as Record<string, string>)
    : refuse(`${at}.${odd[0]}`, 'a text', odd[1]);
};

export const listOf =
  <T>(rule: Rule<T>): Rule<readonly T[]> =>
  (at, given) => {
    if (given === undefined || given === null) return Object.freeze([]);
    if (!Array.isArray(given)) return refuse(at, 'a list', given);
    return Object.freeze(given.map((one, index) => rule(`${at}[${index}]`, one)));
  };

export const group =
  <T extends object>(rules: Rules<T>): Rule<Readonly<T>> =>
  (at, given) => {
    const fields = plainObject(at, given, `an object with ${Object.keys(rules).join(', ')}`);
    const under = (name: string) => (at === '' ? name : `${at}.${name}`);
    for (const name of Object.keys(fields)) {
      if (!Object.hasOwn(rules, name))
        throw discoveryErrors.INVALID_OPTION({
          option: under(name),
          wanted: `a setting that exists (${Object.keys(rules).join(', ')})`,
          found: 'one that does not',
        });
    }
    const read = (Object.keys(rules) as (keyof T & string)[]).map(
      (name) => [name, rules[name](under(name), fields[name])] as const,
    );
    return Object.freeze(Object.fromEntries(read)) as Readonly<T>;
  };

function plainObject(at: string, given: unknown, wanted: string): Record<string, unknown> {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object' || Array.isArray(given)) return refuse(at === '' ? 'balancing' : at, wanted, given);
  return given as Record<string, unknown>;
}

/** Refuses what the fields say together. */
export const together =
  <T>(
    rule: Rule<T>,
    check: (at: string, value: T) => readonly [option: string, wanted: string, found: unknown] | undefined,
  ): Rule<T> =>
  (at, given) => {
    const value = rule(at, given);
    const problem = check(at, value);
    return problem === undefined ? value : refuse(...problem);
  };
