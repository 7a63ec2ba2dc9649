import { filterErrors } from './errors.ts';
import { type Expression, parse, type Selector } from './parser.ts';
import { compilePattern } from './pattern.ts';

export type Predicate = (object: unknown) => boolean;

/** Longest expression, in characters. */
const MAX_EXPRESSION = 8_192;

/**
 * Compiles a `?filter=` expression: `Service.Meta.zone == "a" and "v2" in Service.Tags and not (Checks.Status contains critical)`.
 *
 * Selectors name fields of the JSON an endpoint answers, by their exact spelling. A selector that leads through a list of objects means
 * "any of them". What is not there equals nothing, contains nothing, matches nothing, and is empty; `!=` and every `not` form are the exact
 * opposite of the form without. Numbers compare as numbers, `true` and `false` as booleans. `matches` takes the regular expressions of
 * {@link compilePattern}, whose time is linear in the text.
 *
 * @throws REGISTRY_FILTER_INVALID, REGISTRY_FILTER_TOO_LONG: texts for a 400
 */
export function compileFilter(expression: string): Predicate {
  if (expression.length > MAX_EXPRESSION) throw filterErrors.TOO_LONG({ max: MAX_EXPRESSION });
  return compile(parse(expression));
}

function compile(expression: Expression): Predicate {
  switch (expression.kind) {
    case 'or': {
      const [left, right] = [compile(expression.left), compile(expression.right)];
      return (object) => left(object) || right(object);
    }
    case 'and': {
      const [left, right] = [compile(expression.left), compile(expression.right)];
      return (object) => left(object) && right(object);
    }
    case 'not': {
      const of = compile(expression.of);
      return (object) => !of(object);
    }
    case 'equals':
      return some(expression.selector, equalTo(expression.value));
    case 'contains':
      return some(expression.selector, holding(expression.value));
    case 'matches': {
      const pattern = compilePattern(expression.value, expression.at);
      return some(expression.selector, (value) => typeof value === 'string' && pattern(value));
    }
    case 'empty': {
      const filled = some(expression.selector, isFilled);
      return (object) => !filled(object);
    }
  }
}

/** True when a value at the end of the selector passes; lists of objects on the way are searched through. */
function some(selector: Selector, test: (value: unknown) => boolean): Predicate {
  const walk = (value: unknown, step: number): boolean => {
    const key = selector[step];
    if (key === undefined) return test(value);
    if (Array.isArray(value)) return value.some((one) => walk(one, step));
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    return walk((value as Record<string, unknown>)[key], step + 1);
  };
  return (object) => walk(object, 0);
}

function equalTo(wanted: string): (value: unknown) => boolean {
  const number = wanted.trim() === '' ? Number.NaN : Number(wanted);
  return (value) => {
    if (typeof value === 'string') return value === wanted;
    if (typeof value === 'number') return value === number;
    return typeof value === 'boolean' && String(value) === wanted;
  };
}

/** Part of a text, an element of a list, or a key of a map. */
function holding(wanted: string): (value: unknown) => boolean {
  const equals = equalTo(wanted);
  return (value) => {
    if (typeof value === 'string') return value.includes(wanted);
    if (Array.isArray(value)) return value.some(equals);
    return typeof value === 'object' && value !== null && Object.hasOwn(value, wanted);
  };
}

function isFilled(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === 'object') return Object.keys(value).length > 0;
  return value !== '';
}
