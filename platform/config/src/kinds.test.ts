import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, choice, decimal, duration, flag, integer, list, port, secret, text, url } from './kinds.ts';
import type { Setting, Settings } from './setting.ts';

const describe = 'for the test';

function accepts<T>(setting: Setting<T>, cases: ReadonlyArray<readonly [unknown, unknown]>): void {
  for (const [raw, value] of cases) assert.deepEqual(setting.parse(raw), value, JSON.stringify(raw));
}

function refuses(setting: Setting<unknown>, raws: readonly unknown[]): void {
  for (const raw of raws) {
    assert.throws(
      () => setting.parse(raw),
      { reason: 'CONFIG_VALUE_REFUSED' },
      `${setting.kind} took ${JSON.stringify(raw)}`,
    );
  }
}

test('each kind takes its own and refuses the rest', () => {
  accepts(text({ describe }), [['a b', 'a b']]);
  refuses(text({ describe }), ['', '  ', 3, null, undefined, {}]);
  accepts(integer({ describe, min: 1, max: 200 }), [
    ['20', 20],
    [200, 200],
  ]);
  refuses(integer({ describe, min: 1, max: 200 }), ['0', 201, '1.5', '1e2', '', 'x', true, '0x10', 2 ** 53]);
  accepts(decimal({ describe, min: 0, max: 1 }), [
    ['0.25', 0.25],
    [1, 1],
  ]);
  refuses(decimal({ describe, min: 0, max: 1 }), ['1.1', 'NaN', Number.NaN, '.', '']);
  accepts(port({ describe }), [
    ['8080', 8080],
    [0, 0],
  ]);
  refuses(port({ describe }), [65_536, '-1', '80a', 80.5]);
  accepts(flag({ describe }), [
    ['true', true],
    ['OFF', false],
    [true, true],
    ['0', false],
  ]);
  refuses(flag({ describe }), ['', 'maybe', 1]);
  accepts(choice(['json', 'pretty'], { describe }), [['json', 'json']]);
  refuses(choice(['json', 'pretty'], { describe }), ['JSON', '', 1]);
  accepts(duration({ describe, max: '1h' }), [
    ['15m', 900_000],
    [0, 0],
  ]);
  refuses(duration({ describe, max: '1h' }), ['2h', 15, '15', '']);
  accepts(bytes({ describe, min: '1KiB' }), [['1MiB', 1_048_576]]);
  refuses(bytes({ describe, min: '1KiB' }), ['1B', 1024]);
  accepts(url({ describe, schemes: ['http', 'https'] }), [['http://a/b', 'http://a/b']]);
  refuses(url({ describe, schemes: ['http', 'https'] }), ['a', 'ftp://a', '', 3]);
  accepts(list({ describe }), [
    ['a, b', ['a', 'b']],
    [['a'], ['a']],
    [[], []],
  ]);
  refuses(list({ describe }), ['', 'a,,b', 'a,a', [1], {}]);
  refuses(list({ describe, of: ['a', 'b'] }), ['a,c']);
  accepts(secret({ describe, minLength: 3 }), [['abc', 'abc']]);
  refuses(secret({ describe, minLength: 3 }), ['ab', '', 123]);
});

test('an error says what is allowed and what came', () => {
  const error = { message: "want a whole number from 1 to 200, got '0'" };
  assert.throws(() => integer({ describe, min: 1, max: 200 }).parse('0'), error);
  assert.throws(() => duration({ describe, min: '1s' }).parse('5'), {
    message: "want a duration like 250ms, 10s or 15m, of at least 1s, got '5'",
  });
});

test('a secret and the password in a URL are never said', () => {
  assert.throws(
    () => secret({ describe, minLength: 99 }).parse('hunter2'),
    (error: Error) => !/hunter2/.test(error.message),
  );
  const database = url({ describe, schemes: ['postgres'] });
  for (const raw of ['mysql://me:hunter2@db/x', 'me:hunter2@db', 'mysql://db/x?password=hunter2']) {
    assert.throws(
      () => database.parse(raw),
      (error: Error) => !/hunter2/.test(error.message),
      raw,
    );
  }
  assert.equal(database.print('postgres://me:hunter2@db/x'), 'postgres://me:***@db/x');
  assert.equal(secret({ describe }).print('hunter2'), '***');
});

test('a default is checked where it is declared', () => {
  assert.throws(() => integer({ describe, default: 0, min: 1 }), { reason: 'CONFIG_VALUE_REFUSED' });
  assert.equal(duration({ describe, default: '15m' }).fallback, 900_000);
});

test('types follow the options', () => {
  const shape = {
    ttl: duration({ describe, default: '15m' }),
    mode: choice(['a', 'b'], { describe, default: 'a' }),
    maybe: secret({ describe, optional: true }),
    words: list({ describe, of: ['x', 'y'], default: ['x'] }),
  };
  const settings: Settings<typeof shape> = { ttl: 1, mode: 'b', maybe: undefined, words: ['y'] };
  // @ts-expect-error: not one of the words
  const wrong: Settings<typeof shape>['mode'] = 'c';
  // @ts-expect-error: a setting that is not optional has a value
  const missing: Settings<typeof shape>['ttl'] = undefined;
  assert.ok(settings && wrong && missing === undefined);
});
