import { timestampMs } from '@bufbuild/protobuf/wkt';
import { SagaDetailsSchema } from '@souk/contracts/admin/v1/sagas';
import type { Command } from '../../cli/command.ts';
import { printable } from '../../drawing/line.ts';
import { commandOf } from '../../drawing/saga-records.ts';
import { dateAndTime } from '../../drawing/span.ts';
import { operatorHelp, operatorOf, operatorOptions, text } from '../operator.ts';
import { sagaPath } from './show.ts';

export const actionsCommand: Command = {
  name: 'saga actions',
  summary: 'List what operators did to a saga, and what can be done to it now',
  usage: '<id> [--service <service>] [--json]',
  help: [
    ['<id>', 'Id of the saga.'],
    ['--service <service>', 'Where more than one service has a saga of this id.'],
    ...operatorHelp,
  ],
  options: { ...operatorOptions, service: { type: 'string' } },
  positional: '<id>',
  takesSettings: true,
  example: 'npx souk saga actions ord_01980c5e-7d2a-7b3c-9d4e-5f60718293a4',
  run: async (given) => {
    const { out, json, ask } = await operatorOf(given);
    const details = await ask(
      SagaDetailsSchema,
      'GET',
      sagaPath(given.positionals[0] as string, text(given, 'service')),
    );
    const done = details.records.filter(({ action }) => action !== 0);
    const possible = details.actions.map(({ action, step, needsForce }) => ({
      action: commandOf(action),
      step,
      needsForce,
    }));
    if (json) {
      const past = done.map(({ seq, action, step, actor, reason, outcome, at }) => ({
        seq,
        action: commandOf(action),
        step,
        actor,
        reason,
        outcome,
        at: at === undefined ? null : new Date(timestampMs(at)).toISOString(),
      }));
      out.say(JSON.stringify({ done: past, possible }, null, 2));
      return 0;
    }
    if (done.length === 0) out.say('Nobody has done anything to it.');
    for (const { action, step, actor, reason, outcome, at } of done) {
      const when = at === undefined ? '' : dateAndTime(timestampMs(at));
      out.say(
        printable(
          `${when}  ${commandOf(action)}${step === '' ? '' : ` ${step}`}${outcome === 'refused' ? ' (refused)' : ''}  by ${actor}: ${reason}`,
        ),
      );
    }
    const words = possible.map(({ action, step, needsForce }) =>
      [action, step, needsForce ? '(--force)' : ''].filter((word) => word !== '').join(' '),
    );
    out.say(words.length === 0 ? 'Nothing can be done to it now.' : `Possible now: ${words.join(', ')}`);
    return 0;
  },
};
