import { filterErrors } from './errors.ts';
import { type Token, tokenize } from './lexer.ts';

/** Steps from an object to a value: `Service.Meta["zone"]` is `['Service', 'Meta', 'zone']`. */
export type Selector = readonly string[];

export type Expression =
  | { readonly kind: 'or' | 'and'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly of: Expression }
  | {
      readonly kind: 'equals' | 'contains' | 'matches';
      readonly selector: Selector;
      readonly value: string;
      readonly at: number;
    }
  | { readonly kind: 'empty'; readonly selector: Selector; readonly at: number };

/** Nested deeper than that, an expression is refused. */
const MAX_DEPTH = 64;

/**
 * `or` binds least, then `and`, then `not`; both are read from the left.
 *
 *     or      = and { "or" and }
 *     and     = not { "and" not }
 *     not     = "not" not | "(" or ")" | match
 *     match   = selector ("==" | "!=") value | selector "is" ["not"] "empty" | selector ["not"] ("contains" | "matches") value
 *             | value ["not"] "in" selector
 *
 * @throws REGISTRY_FILTER_INVALID
 */
export function parse(source: string): Expression {
  const tokens = tokenize(source);
  let position = 0;
  let depth = 0;

  const peek = (): Token => tokens[position] as Token;
  const take = (): Token => {
    const token = peek();
    if (token.kind !== 'end') position += 1;
    return token;
  };
  const isWord = (text: string): boolean => peek().kind === 'word' && peek().text === text;
  const isSign = (text: string): boolean => peek().kind === 'sign' && peek().text === text;
  const skip = (is: boolean): boolean => {
    if (is) position += 1;
    return is;
  };
  const fail = (what: string, token = peek()): never => {
    throw filterErrors.INVALID({ what: token.kind === 'end' ? `${what}, but it ends` : what, at: token.at });
  };

  const or = (): Expression => {
    let left = and();
    while (skip(isWord('or'))) left = { kind: 'or', left, right: and() };
    return left;
  };
  const and = (): Expression => {
    let left = not();
    while (skip(isWord('and'))) left = { kind: 'and', left, right: not() };
    return left;
  };
  const not = (): Expression => {
    depth += 1;
    if (depth > MAX_DEPTH) fail(`nested deeper than ${MAX_DEPTH}`);
    const found = inner();
    depth -= 1;
    return found;
  };
  const inner = (): Expression => {
    if (skip(isWord('not'))) return { kind: 'not', of: not() };
    if (!skip(isSign('('))) return match();
    const found = or();
    if (!skip(isSign(')'))) fail('want )');
    return found;
  };
  const negated = (negate: boolean, of: Expression): Expression => (negate ? { kind: 'not', of } : of);

  const match = (): Expression => {
    const first = take();
    if (first.kind !== 'word' && first.kind !== 'string') return fail('want a selector or a value', first);
    const { at } = first;
    const keys = brackets();
    const bare = keys.length === 0;
    if (bare && isWord('in')) {
      position += 1;
      return { kind: 'contains', selector: selector(), value: first.text, at };
    }
    const negate = skip(isWord('not'));
    if (negate && bare && skip(isWord('in')))
      return negated(true, { kind: 'contains', selector: selector(), value: first.text, at });
    const path = [...steps(first), ...keys];
    if (!negate && (isSign('==') || isSign('!='))) {
      const unequal = take().text === '!=';
      return negated(unequal, { kind: 'equals', selector: path, value: value(), at });
    }
    if (skip(isWord('contains'))) return negated(negate, { kind: 'contains', selector: path, value: value(), at });
    if (skip(isWord('matches'))) return negated(negate, { kind: 'matches', selector: path, value: value(), at });
    if (!negate && skip(isWord('is'))) {
      const filled = skip(isWord('not'));
      if (!skip(isWord('empty'))) fail('want empty');
      return negated(filled, { kind: 'empty', selector: path, at });
    }
    return fail('want ==, !=, in, not in, contains, matches or is empty');
  };

  const value = (): string => {
    const token = take();
    return token.kind === 'word' || token.kind === 'string' ? token.text : fail('want a value', token);
  };
  const selector = (): Selector => {
    const token = take();
    return token.kind === 'word' || token.kind === 'string'
      ? [...steps(token), ...brackets()]
      : fail('want a selector', token);
  };
  /** `["any text"]` names a key that is no plain word; a word behind it goes on: `Meta["a"].b`. */
  const brackets = (): string[] => {
    const keys: string[] = [];
    while (skip(isSign('['))) {
      const key = take();
      if (key.kind !== 'string') fail('want a key in quotes', key);
      keys.push(key.text);
      if (!skip(isSign(']'))) fail('want ]');
      if (peek().kind === 'word' && peek().text.startsWith('.')) keys.push(...split(take(), 1));
    }
    return keys;
  };
  /** A word, or a JSON pointer in quotes: `"/Meta/a.b"`. */
  const steps = (token: Token): string[] => {
    if (token.kind !== 'string') return split(token, 0);
    if (!token.text.startsWith('/')) fail('want a selector, not a value', token);
    return token.text
      .slice(1)
      .split('/')
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  };
  const split = (token: Token, from: number): string[] => {
    const path = token.text.slice(from).split('.');
    if (path.includes('')) fail('want a name on both sides of a dot', token);
    return path;
  };

  const expression = or();
  if (peek().kind !== 'end') fail('want and, or, or the end');
  return expression;
}
