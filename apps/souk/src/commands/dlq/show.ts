import { toJson } from '@bufbuild/protobuf';
import { timestampMs, ValueSchema } from '@bufbuild/protobuf/wkt';
import { DeadLetterDetailsSchema, DeadLetter_Status as LetterStatus } from '@souk/contracts/admin/v1/dead_letters';
import type { Command } from '../../cli/command.ts';
import { fit, type Piece } from '../../drawing/line.ts';
import { dateAndTime } from '../../drawing/span.ts';
import { operatorHelp, operatorOf, operatorOptions } from '../operator.ts';

export const showCommand: Command = {
  name: 'dlq show',
  summary: 'Show a dead letter: its event, and every attempt to handle it',
  usage: '<id> [--json]',
  help: [['<id>', 'As "souk dlq list" names it: orders-17.'], ...operatorHelp],
  options: operatorOptions,
  positional: '<id>',
  takesSettings: true,
  example: 'npx souk dlq show orders-17',
  run: async (given) => {
    const { out, json, ask, askRaw } = await operatorOf(given);
    const path = `/api/v1/admin/dead-letters/${encodeURIComponent(given.positionals[0] as string)}`;
    if (json) {
      out.say(JSON.stringify(await askRaw('GET', path), null, 2));
      return 0;
    }
    const { letter, attempts, event, publishedAt, traceId, causationId } = await ask(
      DeadLetterDetailsSchema,
      'GET',
      path,
    );
    if (letter === undefined) return 1;
    const say = (...pieces: Piece[]): void => out.say(fit(pieces, out.width));
    const fact = (name: string, value: string): void => {
      if (value !== '') say([name.padEnd(12), out.dim], value);
    };
    say([letter.id, out.bold], `  ${letter.type}  `, [LetterStatus[letter.status] ?? '', out.red]);
    fact('about', letter.key);
    fact('published', `${publishedAt === undefined ? '' : dateAndTime(timestampMs(publishedAt))} by ${letter.source}`);
    fact('given up', letter.deadAt === undefined ? '' : dateAndTime(timestampMs(letter.deadAt)));
    fact('event id', letter.messageId);
    fact('caused by', causationId);
    fact('trace', traceId);
    fact('group', letter.fingerprint);
    if (letter.actor !== '')
      fact((LetterStatus[letter.status] ?? '').toLowerCase(), `by ${letter.actor}: ${letter.note}`);
    out.say('');
    for (const [index, { at, reason, error }] of attempts.entries()) {
      const when = at === undefined ? '' : dateAndTime(timestampMs(at));
      say([`#${index + 1}`.padEnd(4), out.dim], `${when}  `, [`${reason}  `, out.red], error);
    }
    if (event !== undefined) {
      out.say('');
      for (const line of JSON.stringify(toJson(ValueSchema, event), null, 2).split('\n')) say(line);
    }
    if (letter.status === LetterStatus.DEAD) {
      out.say('');
      out.say(out.bold('What can be done'));
      out.say(`  npx souk dlq redrive ${letter.id} --reason '…'`);
      out.say(`  npx souk dlq discard ${letter.id} --reason '…'`);
    }
    return 0;
  },
};
