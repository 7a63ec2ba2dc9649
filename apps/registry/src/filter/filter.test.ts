import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasReason, isSoukError } from '@souk/kernel';
import fc from 'fast-check';
import { compileFilter } from './filter.ts';

const entry = {
  Node: { ID: 'n-1', Node: 'alpha', Address: '10.0.0.1', Meta: { rack: 'r1', 'odd key': 'x' } },
  Service: {
    ID: 'web-1',
    Service: 'web',
    Tags: ['v1', 'primary'],
    Port: 8080,
    Address: '',
    EnableTagOverride: false,
    Meta: {},
    Weights: { Passing: 10, Warning: 1 },
  },
  Checks: [
    { CheckID: 'serfHealth', Status: 'passing' },
    { CheckID: 'service:web-1', Status: 'warning' },
  ],
};

const cases: readonly (readonly [expression: string, wanted: boolean])[] = [
  ['Service.Service == web', true],
  ['Service.Service == "web"', true],
  ['Service.Service == `web`', true],
  ['Service.Service != web', false],
  ['Service.Service==web', true],
  ['Service.Port == 8080', true],
  ['Service.Port == "8080"', true],
  ['Service.Port != 80', true],
  ['Service.EnableTagOverride == false', true],
  ['Service.EnableTagOverride == true', false],
  ['Service.Weights.Passing == 10', true],
  ['v1 in Service.Tags', true],
  ['"v1" in Service.Tags', true],
  ['v2 in Service.Tags', false],
  ['v2 not in Service.Tags', true],
  ['Service.Tags contains primary', true],
  ['Service.Tags not contains primary', false],
  ['rack in Node.Meta', true],
  ['Node.Meta contains zone', false],
  ['Node.Meta.rack == r1', true],
  ['Node.Meta["odd key"] == x', true],
  ['"/Node/Meta/odd key" == x', true],
  ['Node.Meta["rack"] matches "^r[0-9]$"', true],
  ['Node.Node matches "^alp"', true],
  ['Node.Node matches `lp`', true],
  ['Node.Node not matches "z"', true],
  ['Node.Node contains "lph"', true],
  ['Service.Meta is empty', true],
  ['Service.Tags is not empty', true],
  ['Service.Address is empty', true],
  ['Service.Port is empty', false],
  ['Service.Nothing is empty', true],
  ['Service.Nothing == x', false],
  ['Service.Nothing != x', true],
  ['Checks.Status == warning', true],
  ['Checks.Status != critical', true],
  ['Checks.Status == critical', false],
  ['Checks is not empty', true],
  ['not Service.Service == web', false],
  ['not not Service.Service == web', true],
  ['Service.Service == web and Service.Port == 1 or Node.Node == alpha', true],
  ['Service.Service == web and (Service.Port == 1 or Node.Node == beta)', false],
  ['Node.Node == alpha or Node.Node == beta and Node.Node == gamma', true],
  ['not Node.Node == beta and Node.Node == alpha', true],
  ['  ( ( Node.Node == alpha ) )  ', true],
  ['Node.toString is empty', true],
  ['Node.Node == "al\\u0070ha"', true],
];

for (const [expression, wanted] of cases) {
  test(`${expression} is ${wanted} for an instance of web`, () => {
    assert.equal(compileFilter(expression)(entry), wanted);
  });
}

const bad = [
  '',
  '   ',
  'Node.Node',
  'Node.Node =',
  'Node.Node = alpha',
  'Node.Node ==',
  '== alpha',
  'Node.Node == alpha and',
  'and Node.Node == alpha',
  '(Node.Node == alpha',
  'Node.Node == alpha)',
  'Node.Node is full',
  'Node.Node is',
  'Node.Node not == alpha',
  'Node..Node == x',
  '.Node == x',
  'Node.Meta[rack] == x',
  'Node.Meta["rack" == x',
  'Node.Node == "alpha',
  'Node.Node == `alpha',
  'Node.Node == "\\q"',
  '"alpha" == Node.Node',
  'Node.Node == alpha beta == gamma',
  'Node.Node matches "("',
  'Node.Node matches "a**"',
  'Node.Node matches "[z-a]"',
  'Node.Node matches "(?=a)"',
  `Node.Node matches "${'a'.repeat(257)}"`,
  'Node.Node matches "((a{90}){90}){90}"',
  `${'('.repeat(100)}Node.Node == alpha${')'.repeat(100)}`,
  `Node.Node == ${'a'.repeat(9000)}`,
  'x in',
  'Node.Node ! alpha',
];

for (const expression of bad) {
  test(`${expression.slice(0, 50)} is refused with what is wrong and where`, () => {
    assert.throws(
      () => compileFilter(expression),
      (error) => isSoukError(error) && error.code === 'invalid_argument' && /evaluator: ./.test(error.message),
    );
  });
}

test('any text either compiles or is refused, and what compiles never throws', () => {
  const words = fc.constantFrom(
    ...[
      'and',
      'or',
      'not',
      'in',
      'is',
      'empty',
      'contains',
      'matches',
      '==',
      '!=',
      '(',
      ')',
      '[',
      ']',
      '"a"',
      'Node.Node',
      'a',
      '"',
      '`',
    ],
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join(' ')),
  );
  fc.assert(
    fc.property(text, fc.jsonValue(), (expression, object) => {
      try {
        assert.equal(typeof compileFilter(expression)(object), 'boolean');
      } catch (error) {
        if (hasReason(error, 'REGISTRY_FILTER_INVALID') || hasReason(error, 'REGISTRY_FILTER_TOO_LONG')) return;
        throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

interface Flat {
  readonly a: string;
  readonly b: readonly string[];
  readonly c: Readonly<Record<string, string>>;
}
type Formula =
  | { readonly op: 'and' | 'or'; readonly of: readonly [Formula, Formula] }
  | { readonly op: 'not'; readonly of: Formula }
  | { readonly op: 'leaf'; readonly text: string; readonly holds: (object: Flat) => boolean };

test('every formula means what its tree says', () => {
  const value = fc.constantFrom('x', 'y', 'zz');
  const leaf: fc.Arbitrary<Formula> = fc.oneof(
    value.map((v) => ({ op: 'leaf' as const, text: `a == ${v}`, holds: (o: Flat) => o.a === v })),
    value.map((v) => ({ op: 'leaf' as const, text: `a != "${v}"`, holds: (o: Flat) => o.a !== v })),
    value.map((v) => ({ op: 'leaf' as const, text: `${v} in b`, holds: (o: Flat) => o.b.includes(v) })),
    value.map((v) => ({ op: 'leaf' as const, text: `"${v}" not in b`, holds: (o: Flat) => !o.b.includes(v) })),
    value.map((v) => ({ op: 'leaf' as const, text: `c contains ${v}`, holds: (o: Flat) => v in o.c })),
    value.map((v) => ({ op: 'leaf' as const, text: `c.x == ${v}`, holds: (o: Flat) => o.c.x === v })),
    value.map((v) => ({ op: 'leaf' as const, text: `a matches "^${v}"`, holds: (o: Flat) => o.a.startsWith(v) })),
    fc.constant({ op: 'leaf' as const, text: 'b is empty', holds: (o: Flat) => o.b.length === 0 }),
    fc.constant({ op: 'leaf' as const, text: 'c is not empty', holds: (o: Flat) => Object.keys(o.c).length > 0 }),
  );
  const { formula } = fc.letrec<{ formula: Formula }>((tie) => ({
    formula: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.record({ op: fc.constantFrom('and' as const, 'or' as const), of: fc.tuple(tie('formula'), tie('formula')) }),
      fc.record({ op: fc.constant('not' as const), of: tie('formula') }),
    ),
  }));
  const rank = { or: 0, and: 1, not: 2, leaf: 3 };
  /** Brackets only where they are needed, so that precedence is tested too. */
  const write = (one: Formula, above = 0): string => {
    const text =
      one.op === 'leaf'
        ? one.text
        : one.op === 'not'
          ? `not ${write(one.of, 2)}`
          : `${write(one.of[0], rank[one.op])} ${one.op} ${write(one.of[1], rank[one.op] + 1)}`;
    return rank[one.op] < above ? `(${text})` : text;
  };
  const holds = (one: Formula, object: Flat): boolean => {
    if (one.op === 'leaf') return one.holds(object);
    if (one.op === 'not') return !holds(one.of, object);
    const [left, right] = [holds(one.of[0], object), holds(one.of[1], object)];
    return one.op === 'and' ? left && right : left || right;
  };
  const object: fc.Arbitrary<Flat> = fc.record({
    a: fc.oneof(value, fc.constant('')),
    b: fc.array(value, { maxLength: 3 }),
    c: fc.dictionary(fc.constantFrom('x', 'y', 'zz'), value, { noNullPrototype: true }),
  });
  fc.assert(
    fc.property(formula, object, (one, at) => {
      assert.equal(compileFilter(write(one))(at), holds(one, at), write(one));
    }),
    { numRuns: 1_000 },
  );
});
