import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from './command.ts';
import { commandHelp, parseGiven } from './command.ts';
import { type CommandGroup, findCommand, groupHelp } from './command-group.ts';

const command = (name: string, more: Partial<Command> = {}): Command => ({
  name,
  summary: `Does ${name}`,
  usage: '',
  help: [],
  options: { json: { type: 'boolean' } },
  takesSettings: false,
  run: async () => 0,
  ...more,
});
const show = command('saga show', { positional: '<id>', example: 'npx souk saga show ord_1' });
const many = command('dlq redrive', { positional: '<id>...' });
const group: CommandGroup = { name: 'saga', summary: 'Steers sagas', commands: [command('saga list'), show] };
const entries = [command('up'), group];

test('a command of a group is found by its two words, and keeps the rest', () => {
  assert.deepEqual(findCommand(entries, ['saga', 'show', 'ord_1', '--json']), {
    is: 'command',
    command: show,
    args: ['ord_1', '--json'],
  });
  assert.partialDeepStrictEqual(findCommand(entries, ['up', '--x']), { is: 'command', args: ['--x'] });
});

test('a group alone, or asked for help, is explained', () => {
  assert.deepEqual(findCommand(entries, ['saga']), { is: 'group', group, asked: false });
  assert.deepEqual(findCommand(entries, ['saga', '--help']), { is: 'group', group, asked: true });
  assert.match(
    groupHelp(group),
    /Usage: souk saga <command>[\s\S]* {2}list {2}Does saga list\n {2}show {2}Does saga show/,
  );
});

test('an unknown word names the help that lists the known ones', () => {
  assert.deepEqual(findCommand(entries, ['nope']), { is: 'nothing', name: 'nope', help: 'souk --help' });
  assert.deepEqual(findCommand(entries, ['saga', 'nope']), {
    is: 'nothing',
    name: 'saga nope',
    help: 'souk saga --help',
  });
});

test('what stands without an option is as much as the command wants', () => {
  assert.deepEqual(parseGiven(show, ['ord_1', '--json']).positionals, ['ord_1']);
  assert.deepEqual(parseGiven(many, ['a-1', 'a-2']).positionals, ['a-1', 'a-2']);
  assert.throws(() => parseGiven(show, []), {
    reason: 'APP_USAGE',
    message: /<id> is missing; "souk saga show --help"/,
  });
  assert.throws(() => parseGiven(show, ['a', 'b']), { reason: 'APP_USAGE', message: /'b' is one too many/ });
  assert.throws(() => parseGiven(many, []), { reason: 'APP_USAGE' });
  assert.equal(parseGiven(show, ['--help']).options.help, true);
});

test('what stands without an option may be left out where the command says so', () => {
  const maybe = command('resilience list', { positional: '[<pattern>]' });
  const both = command('resilience set', { positional: '<pattern> [<change>...]' });
  assert.deepEqual(parseGiven(maybe, []).positionals, []);
  assert.deepEqual(parseGiven(maybe, ['rpc:*']).positionals, ['rpc:*']);
  assert.throws(() => parseGiven(maybe, ['a', 'b']), { message: /'b' is one too many: only \[<pattern>\] is wanted/ });
  assert.throws(() => parseGiven(both, []), { message: /<pattern> is missing/ });
  assert.deepEqual(parseGiven(both, ['a', 'b=1', 'c=2']).positionals, ['a', 'b=1', 'c=2']);
});

test('the help ends with an example worth copying', () => {
  assert.match(commandHelp(show), /Example: npx souk saga show ord_1\n/);
});
