import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, equals, fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { type Init, messageNamed } from '../test/rules.ts';
import { compileJsonDecoder } from './index.ts';

const Values = messageNamed('Values');
const decode = compileJsonDecoder(Values);
const pointers = (json: unknown) => decode(json).violations.map((violation) => violation.pointer);
const decoded = (json: unknown) => {
  const { message, violations } = decode(json);
  assert.deepEqual(violations, []);
  return message as unknown as Init;
};

test('names may be those of JSON or of the contract, but not both', () => {
  assert.deepEqual(decoded({ byName: { a: { name: 'x' } } }), decoded({ by_name: { a: { name: 'x' } } }));
  assert.deepEqual(pointers({ byName: {}, by_name: {} }), ['/by_name']);
});

test('unknown fields are refused, however deep', () => {
  assert.deepEqual(pointers({ no: 1, nested: { no: 1 }, list: [{}, { no: 1 }], byName: { 'a/b': { no: 1 } } }), [
    '/no',
    '/nested/no',
    '/list/1/no',
    '/byName/a~1b/no',
  ]);
});

test('names of Object.prototype are unknown fields, and harmless keys of maps', () => {
  for (const key of ['__proto__', 'constructor', 'toString', '$typeName']) {
    assert.deepEqual(pointers(JSON.parse(`{"${key}":{}}`)), [`/${key}`]);
  }
  const { byNumber, byName } = decoded(JSON.parse('{"byName":{"__proto__":{"name":"x"}},"byNumber":{}}'));
  assert.deepEqual(Object.keys(byName as object), ['__proto__']);
  assert.equal(Object.getPrototypeOf(byName), Object.prototype);
  assert.deepEqual(byNumber, {});
  assert.equal(({} as Init).name, undefined);
});

test('values of a wrong type are refused where they are', () => {
  const bad: Init = {
    count: [1.5, '1.5', '', '0x1', 2147483648, true, {}, [], 'x', ' 1'],
    big: ['1e3', 1.5, '9223372036854775808', 9007199254740992, '-', '01'],
    unsigned: ['-1', -1, '18446744073709551616'],
    ratio: ['x', true, '1,5', ''],
    small: [1e39],
    kind: ['THREE', 'one', 1.5, true, '1'],
    kinds: ['ONE', {}],
    nested: ['x', 1, [], true],
    byName: [[], 'x'],
    blob: ['*', 1, 'a==='],
    left: [1, true, {}],
    yes: ['true', 1, 0],
    at: ['yesterday', 1, '2026-13-01T00:00:00Z', {}],
    took: ['5', 5],
    extra: ['x', []],
    wrapped: ['x', 1.5],
    wrappers: ['x'],
  };
  for (const [field, cases] of Object.entries(bad)) {
    for (const value of cases as unknown[]) {
      assert.deepEqual(pointers({ [field]: value }), [`/${field}`], `${field} ${JSON.stringify(value)}`);
    }
  }
  assert.deepEqual(pointers({ kinds: ['ONE', 'X'], numbers: [1, null] }), ['/kinds/1', '/numbers/1']);
  assert.deepEqual(pointers({ byNumber: { x: 'a' }, flags: { yes: true } }), ['/byNumber/x', '/flags/yes']);
  for (const json of [null, 1, 'x', [], true]) assert.deepEqual(pointers(json), ['']);
});

test('values that protobuf allows are taken', () => {
  const message = decoded({
    count: '7',
    big: '-9007199254740993',
    unsigned: 5,
    ratio: '1.5e2',
    kind: 'TWO',
    kinds: ['ONE', 2],
    blob: '-_8',
    byNumber: { '5': 'five' },
    flags: { true: false },
    textNumber: 12,
    at: '2026-01-01T00:00:00Z',
    took: '1.5s',
    nested: null,
    list: null,
  });
  assert.deepEqual([message.count, message.big, message.unsigned, message.ratio], [7, -9007199254740993n, 5n, 150]);
  assert.deepEqual([message.kind, message.kinds, message.textNumber, message.nested], [2, [1, 2], '12', undefined]);
  assert.deepEqual([...(message.blob as Uint8Array)], [251, 255]);
});

test('of a choice only one may be given', () => {
  assert.deepEqual(decoded({ left: 'a' }).choice, { case: 'left', value: 'a' });
  assert.deepEqual(pointers({ left: 'a', zero: 1 }), ['/zero']);
  assert.deepEqual(decoded({ left: 'a', zero: null }).choice, { case: 'left', value: 'a' });
});

test('a violation does not repeat the value', () => {
  const { violations } = decode({ at: 'hunter2', kind: 'hunter2', extra: 'hunter2', big: 'hunter2', blob: 'hunter2*' });
  assert.equal(violations.length, 5);
  assert.doesNotMatch(JSON.stringify(violations), /hunter2/);
});

test('at most 20 violations are told, whatever the size', () => {
  assert.equal(
    decode(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]))).violations.length,
    20,
  );
});

const nested = fc.record({ name: fc.string() }, { requiredKeys: [] });
const message = fc.record(
  {
    count: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    unsigned: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    // JSON.stringify writes minus zero as 0, and nothing is equal to NaN.
    ratio: fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
    kind: fc.constantFrom(0, 1, 2),
    kinds: fc.array(fc.constantFrom(0, 1, 2)),
    nested,
    list: fc.array(nested),
    byName: fc.dictionary(fc.string(), nested),
    byNumber: fc.dictionary(fc.integer({ min: -5, max: 5 }).map(String), fc.string()),
    blob: fc.uint8Array(),
    choice: fc.oneof(
      fc.record({ case: fc.constant('left'), value: fc.string() }),
      fc.record({ case: fc.constant('zero'), value: fc.integer({ min: 0, max: 5 }) }),
    ),
    maybe: fc.integer({ min: 0, max: 5 }),
    yes: fc.boolean(),
    wrapped: fc.integer({ min: -5, max: 5 }),
    extra: fc.dictionary(fc.string(), fc.jsonValue()),
    anything: fc.constantFrom({ kind: { case: 'nullValue', value: 0 } }, { kind: { case: 'stringValue', value: 'x' } }),
  },
  { requiredKeys: [] },
);

test('null is no element of a list', () => {
  assert.deepEqual(
    decode({ wrappers: [null, 'a'] }).violations.map((violation) => violation.pointer),
    ['/wrappers/0'],
  );
});

test('what the library writes is read back equal', () => {
  fc.assert(
    fc.property(message, fc.boolean(), (init, useProtoFieldName) => {
      const original = create(Values, init as never);
      const json = JSON.parse(JSON.stringify(toJson(Values, original, { useProtoFieldName })));
      const result = decode(json);
      assert.deepEqual(result.violations, []);
      assert.ok(equals(Values, result.message, original));
    }),
  );
});

test('no JSON makes the decoder throw, and what it takes the library takes alike', () => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('ONE', '1', 1, null, true, 'AQID'));
  const json = fc.dictionary(fc.constantFrom(...Values.fields.map((field) => field.jsonName), 'other'), value);
  // Null is no choice: the library takes it for one where the choice is a message.
  const choices = new Set(Values.oneofs.flatMap(({ fields }) => fields.map((field) => field.jsonName)));
  const withoutNoChoices = (candidate: object) =>
    Object.fromEntries(Object.entries(candidate).filter(([name, one]) => one !== null || !choices.has(name)));
  fc.assert(
    fc.property(json, (candidate) => {
      const result = decode(candidate);
      if (result.violations.length > 0) return;
      assert.ok(equals(Values, result.message, fromJson(Values, withoutNoChoices(candidate) as JsonValue)));
    }),
    { numRuns: 500, examples: [[{ right: null, left: 'ONE' }]] },
  );
});
