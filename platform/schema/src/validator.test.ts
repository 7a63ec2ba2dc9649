import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Init, messageNamed } from '../test/rules.ts';
import { compileValidator } from './index.ts';

const check = (name: string, init: Init) => {
  const desc = messageNamed(name);
  return compileValidator(desc)(create(desc, init as never));
};
const texts = (init: Init) => check('Texts', { must: 'x', ...init });
const values = (init: Init) => check('Values', init);
const pointers = (violations: readonly { pointer: string }[]) => violations.map((violation) => violation.pointer);

const UUID = '0198c0de-0000-7000-8000-000000000001';

test('good strings pass and bad ones do not', () => {
  const table: [field: string, good: string[], bad: string[]][] = [
    ['plain', ['x', 'Ünïcode', '👩‍👩‍👧', 'a'.repeat(1024), '🗝'.repeat(1024)], ['a'.repeat(1025), '🗝'.repeat(1025)]],
    ['short', ['ab', 'abcd', '🗝🗝🗝🗝'], ['a', '🗝', 'abcde', '🗝🗝🗝🗝🗝']],
    ['slug', ['abc', '12'], ['abc1', 'a\n', ' a', 'A']],
    [
      'email',
      ['a@b.co', 'a.b+c@d-e.example', 'admin@souk.local', 'ü@bücher.example'],
      [
        'a',
        '@b.co',
        'a@b',
        'a@@b.co',
        'a b@c.de',
        '.a@b.co',
        'a..b@c.de',
        'a@-b.co',
        'a@b..co',
        '<a@b.co>',
        `${'a'.repeat(65)}@b.co`,
      ],
    ],
    ['currency', ['EUR', 'JPY', 'CLF'], ['eur', 'EU', 'EURO', 'XXX', 'ABC']],
    ['country', ['DE', 'GB'], ['de', 'UK', 'XX', 'DEU']],
    [
      'uri',
      ['https://a.example/b?c=d', 'http://localhost:8080'],
      ['javascript:alert(1)', 'data:text/html,x', '/a', 'https://', 'https://a b', 'ftp://a'],
    ],
    ['locale', ['en', 'de-AT', 'zh-Hant-TW', 'es-419'], ['EN', 'de_AT', 'english', 'de-at', 'en-']],
    ['userId', [`usr_${UUID}`], [UUID, 'usr_1', `ord_${UUID}`, `usr_${UUID.toUpperCase()}`, `usr_${UUID}x`]],
    ['choice', ['a', 'b'], ['c', 'A', 'ab']],
  ];
  for (const [field, good, bad] of table) {
    for (const value of good) assert.deepEqual(texts({ [field]: value }), [], `${field} ${value}`);
    for (const value of bad) assert.deepEqual(pointers(texts({ [field]: value })), [`/${field}`], `${field} ${value}`);
  }
});

test('characters that hide or break text are refused in every string; texts may have lines', () => {
  for (const character of ['\u0000', '\u001b', '\u007f', '\u0085', '\u202e', '\u2066', '\ud800', '\udc00']) {
    for (const field of ['plain', 'text']) {
      assert.deepEqual(pointers(texts({ [field]: `a${character}b` })), [`/${field}`], JSON.stringify(character));
    }
  }
  assert.deepEqual(texts({ text: 'a\r\n\tb' }), []);
  assert.deepEqual(pointers(texts({ plain: 'a\nb' })), ['/plain']);
});

test('a field that is not set is checked for `required` only', () => {
  assert.deepEqual(texts({ short: '', maybe: undefined }), []);
  assert.deepEqual(pointers(texts({ maybe: '' })), ['/maybe']);
  assert.deepEqual(values({ count: 0 }), []);
  assert.deepEqual(pointers(values({ maybe: 0 })), ['/maybe']);
  assert.deepEqual(pointers(values({ choice: { case: 'zero', value: 0 } })), ['/zero']);
});

test('what is required must be there, each kind in its way', () => {
  const all = ['/text', '/number', '/sent', '/kind', '/list', '/map', '/message', '/blob'];
  assert.deepEqual(pointers(check('Required', {})), all);
  const full = {
    text: 'x',
    number: 1,
    sent: 0,
    kind: 1,
    list: [0],
    map: { a: '' },
    message: { name: 'x' },
    blob: Uint8Array.of(0),
  };
  assert.deepEqual(check('Required', full), []);
});

test('numbers are compared exactly', () => {
  assert.deepEqual(pointers(values({ count: 11 })), ['/count']);
  assert.deepEqual(values({ big: 9007199254740993n }), []);
  assert.deepEqual(pointers(values({ big: 9007199254740994n })), ['/big']);
  assert.deepEqual(pointers(values({ ratio: 1.0000001 })), ['/ratio']);
  assert.deepEqual(pointers(values({ ratio: Number.NaN })), ['/ratio']);
  assert.deepEqual(pointers(values({ ratio: Number.POSITIVE_INFINITY })), ['/ratio']);
});

test('a wrapped number is a number, a free-form object is not looked into', () => {
  assert.deepEqual(pointers(values({ wrapped: 6 })), ['/wrapped']);
  assert.deepEqual(values({ wrapped: 0, extra: { a: [null, { b: '\u0000' }] } }), []);
});

test('an enum number that nobody declared is refused', () => {
  assert.deepEqual(pointers(values({ kind: 3, kinds: [1, -1, 0] })), ['/kind', '/kinds/1']);
  assert.deepEqual(values({ kind: 2, kinds: [0, 1, 2] }), []);
});

test('pointers lead into lists, maps, messages and themselves', () => {
  const bad = { name: '' };
  assert.deepEqual(
    pointers(
      values({
        nested: bad,
        list: [{ name: 'x' }, bad],
        byName: { 'a/b~c': bad },
        choice: { case: 'right', value: bad },
      }),
    ),
    ['/nested/name', '/list/1/name', '/byName/a~1b~0c/name', '/right/name'],
  );
  assert.deepEqual(
    pointers(values({ nested: { name: 'x', again: { nested: { name: 'y', again: { count: 11 } } } } })),
    ['/nested/again/nested/again/count'],
  );
});

test('lists, maps and bytes have sizes', () => {
  const id = `usr_${UUID}`;
  assert.deepEqual(texts({ userIds: [id, id] }), []);
  assert.deepEqual(pointers(texts({ userIds: [id] })), ['/userIds']);
  assert.deepEqual(pointers(texts({ userIds: [id, id, id, id] })), ['/userIds']);
  assert.deepEqual(pointers(texts({ userIds: [id, 'x'] })), ['/userIds/1']);
  assert.deepEqual(pointers(values({ kinds: Array(1001).fill(1) })), ['/kinds']);
  assert.deepEqual(
    pointers(values({ byName: Object.fromEntries(['a', 'b', 'c'].map((key) => [key, { name: 'x' }])) })),
    ['/byName'],
  );
  assert.deepEqual(pointers(values({ blob: Uint8Array.of(1) })), ['/blob']);
  assert.deepEqual(pointers(values({ blob: new Uint8Array(5) })), ['/blob']);
});

test('a key of a map is a string like any other', () => {
  assert.deepEqual(pointers(values({ byName: { 'a\u202e': { name: 'x' } } })), ['/byName']);
});

test('a time that JSON cannot write is refused', () => {
  assert.deepEqual(pointers(values({ at: { seconds: 253402300800n, nanos: 0 } })), ['/at']);
  assert.deepEqual(pointers(values({ at: { seconds: 0n, nanos: 1_000_000_000 } })), ['/at']);
  assert.deepEqual(values({ at: { seconds: 253402300799n, nanos: 0 } }), []);
});

test('at most 20 violations are told', () => {
  assert.equal(values({ kinds: Array(100).fill(9), list: Array(100).fill({}) }).length, 20);
});

test('a violation does not repeat the value', () => {
  const secret = 'hunter2@';
  const all = texts({ short: secret, slug: secret, email: secret, userId: secret, choice: secret, uri: secret });
  assert.equal(all.length, 6);
  assert.doesNotMatch(JSON.stringify(all), /hunter2/);
});

test('a contract whose rules make no sense is refused before the first call', () => {
  for (const name of ['BadPattern', 'BadFormat']) {
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.throws(() => compileValidator(messageNamed(name)), { reason: 'SCHEMA_BAD_CONTRACT' }, name);
    }
  }
});
