import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Command, commandHelp, parseGiven, table, wholeNumber } from './command.ts';

const command: Command = {
  name: 'seed',
  summary: 'Fills the shop',
  usage: '[--products <n>]',
  help: [['--products <n>', 'How many.']],
  options: { products: { type: 'string' }, json: { type: 'boolean' }, url: { type: 'string' } },
  takesSettings: true,
  run: async () => 0,
};
const parse = (...args: string[]) => parseGiven(command, args);

test('options and settings are told apart, wherever they stand', () => {
  const given = parse('--http.port=0', '--products', '5', '--orders.max-wait', '10s', '--json');
  assert.deepEqual({ ...given.options }, { products: '5', json: true });
  assert.deepEqual(given.settings, ['--http.port=0', '--orders.max-wait=10s']);
});

test('a setting without a value does not take the option behind it', () => {
  const given = parse('--provider.embedded', '--json');
  assert.deepEqual([given.settings, given.options.json], [['--provider.embedded'], true]);
  assert.deepEqual(parse('--provider.embedded').settings, ['--provider.embedded']);
});

test('a negative number and an empty text are values of settings', () => {
  assert.deepEqual(parse('--a.b', '-1', '--a.c=').settings, ['--a.b=-1', '--a.c=']);
});

test('an address with dots is the value of an option, not a setting', () => {
  for (const args of [['--url', 'http://shop.example.com'], ['--url=http://shop.example.com']]) {
    const given = parse(...args);
    assert.deepEqual([given.options.url, given.settings], ['http://shop.example.com', []]);
  }
});

test('what is not understood is told in a sentence, with where to look', () => {
  for (const args of [['--nope'], ['stray'], ['--products']]) {
    assert.throws(() => parse(...args), { reason: 'APP_USAGE', message: /"souk seed --help"/ });
  }
  assert.throws(() => parseGiven({ ...command, takesSettings: false }, ['--http.port=0']), {
    reason: 'APP_USAGE',
    message: /--http\.port=0 is a setting/,
  });
});

test('no command line makes it throw anything else', () => {
  const argument = fc.oneof(fc.string(), fc.constantFrom('--', '-h', '--a.b', '--a.b=c', '--json', '--products', '-'));
  fc.assert(
    fc.property(fc.array(argument), (args) => {
      try {
        parse(...args);
      } catch (error) {
        assert.equal((error as { reason?: string }).reason, 'APP_USAGE');
      }
    }),
  );
});

test('a whole number is one, or is refused by name', () => {
  assert.equal(wholeNumber(parse('--products', '12'), 'products', 'seed'), 12);
  assert.equal(wholeNumber(parse(), 'products', 'seed'), undefined);
  for (const text of ['1.5', '-1', 'x', '', '1e3', '9999999999']) {
    assert.throws(() => wholeNumber(parse(`--products=${text}`), 'products', 'seed'), {
      reason: 'APP_USAGE',
      message: /--products/,
    });
  }
});

test('help names every option, and settings only where they are taken', () => {
  assert.match(
    commandHelp(command),
    /Usage: souk seed \[--products <n>\][\s\S]*--products <n>[\s\S]*-h, --help[\s\S]*Settings/,
  );
  assert.doesNotMatch(commandHelp({ ...command, takesSettings: false }), /Settings/);
  assert.equal(
    table([
      ['a', 'one'],
      ['long', 'two'],
    ]),
    '  a     one\n  long  two',
  );
});
