import { randomUUID } from 'node:crypto';
import { ActOnSagaResponseSchema, PreviewSagaActionsResponseSchema } from '@souk/contracts/admin/v1/sagas';
import { type Command, type Given, wholeNumber } from '../../cli/command.ts';
import { confirmed } from '../../cli/confirm.ts';
import { printable } from '../../drawing/line.ts';
import { appErrors } from '../../errors.ts';
import { followJob } from '../follow-job.ts';
import { jsonArgument } from '../json-argument.ts';
import { type Operator, operatorHelp, operatorOf, operatorOptions, reasonOf, text } from '../operator.ts';
import { filterHelp, filterOf, filterOptions } from './filter.ts';
import { sagaTable } from './list.ts';

interface ActionCommand {
  /** As the command is called: `give-up`. */
  readonly verb: string;
  readonly summary: string;
  /** What was done, after a number: `sagas retried`. */
  readonly done: string;
  readonly example: string;
  /** Wants the id to be typed before it is done. */
  readonly isHard?: boolean;
  readonly takes?: 'output' | 'input';
  readonly takesForce?: boolean;
}

/** A command that does something to sagas: to one by its id, or to all that match. */
export function actionCommand(action: ActionCommand): Command {
  const name = `saga ${action.verb}`;
  const only = action.takes === undefined;
  return {
    name,
    summary: action.summary,
    usage: `<id> --reason <why>${usageOf(action)}${only ? `\n       souk ${name} all --status STUCK … --reason <why> [--yes]` : ''}`,
    help: [
      ['<id>', only ? 'Id of the saga, or "all" for those that the filter matches.' : 'Id of the saga.'],
      ['--reason <why>', 'Kept in the journal of the saga, for whoever reads it later.'],
      ...extraHelp(action),
      ['--dry-run', 'Only say what would happen.'],
      ...(only ? bulkHelp : [['--service <service>', 'Where more than one has a saga of this id.'] as const]),
      ...operatorHelp,
    ],
    options: {
      ...operatorOptions,
      ...filterOptions,
      reason: { type: 'string' },
      'dry-run': { type: 'boolean' },
      yes: { type: 'boolean' },
      force: { type: 'boolean' },
      rate: { type: 'string' },
      'expected-seq': { type: 'string' },
      ...(action.takes === undefined ? {} : { [action.takes]: { type: 'string' } as const }),
    },
    positional: '<id>',
    takesSettings: true,
    example: `npx souk ${action.example}`,
    run: async (given) => {
      const reason = reasonOf(given, name);
      if (given.options.force === true && action.takesForce !== true) {
        throw appErrors.USAGE({ problem: '--force has no meaning here', command: name });
      }
      const [id] = given.positionals as [string];
      if (id === 'all') return actOnAll(await operatorOf(given), given, action, name, reason);
      return actOnOne(await operatorOf(given), given, action, name, id, reason);
    },
  };
}

async function actOnOne(
  { out, json, ask, askRaw }: Operator,
  given: Given,
  action: ActionCommand,
  name: string,
  id: string,
  reason: string,
): Promise<number> {
  const dryRun = given.options['dry-run'] === true;
  if (action.isHard && !dryRun && !(await confirmed(given, out, `Give up ${id} for ever`, name, id))) return 1;
  const path = `/api/v1/admin/sagas/${encodeURIComponent(id)}/actions`;
  const body = {
    service: text(given, 'service'),
    action: kindOf(action),
    reason,
    step: text(given, 'step'),
    actionId: randomUUID(),
    expectedSeq: wholeNumber(given, 'expected-seq', name),
    dryRun,
    force: given.options.force === true,
    ...payloadOf(given, action, name),
  };
  if (json) {
    out.say(JSON.stringify(await askRaw('POST', path, body), null, 2));
    return 0;
  }
  const { effect, done } = await ask(ActOnSagaResponseSchema, 'POST', path, body);
  out.say(done ? `${out.green('✓')} ${printable(effect)}` : `would: ${printable(effect)}`);
  if (done) out.say(out.dim(`  watch it: npx souk saga show ${id}`));
  return 0;
}

async function actOnAll(
  operator: Operator,
  given: Given,
  action: ActionCommand,
  name: string,
  reason: string,
): Promise<number> {
  if (action.takes !== undefined) {
    throw appErrors.USAGE({ problem: `${action.takes} differs from saga to saga, so "all" cannot be`, command: name });
  }
  const filter = filterOf(given, name);
  if (Object.values(filter).every((value) => value === undefined)) {
    throw appErrors.USAGE({ problem: '"all" wants a filter, such as --status STUCK', command: name });
  }
  const { out, ask } = operator;
  const preview = await ask(PreviewSagaActionsResponseSchema, 'POST', '/api/v1/admin/saga-actions/preview', {
    action: kindOf(action),
    filter,
  });
  const { count, sample, confirmToken } = preview;
  if (!operator.json && sample.length > 0) {
    for (const line of sagaTable(sample, out, Date.now())) out.say(line);
    if (count > sample.length) out.say(out.dim(`… and ${count - sample.length} more`));
  }
  if (count === 0 || given.options['dry-run'] === true) {
    out.say(operator.json ? JSON.stringify({ count }) : `${count} sagas match.`);
    return 0;
  }
  if (!(await confirmed(given, out, `${action.verb} ${count} sagas`, name))) return 1;
  const job = await operator.askRaw('POST', '/api/v1/admin/saga-actions', {
    confirmToken,
    reason,
    ratePerSecond: wholeNumber(given, 'rate', name),
    force: given.options.force === true,
  });
  return followJob(operator, job, action.done);
}

const kindOf = ({ verb }: ActionCommand): string => verb.toUpperCase().replaceAll('-', '_');

function payloadOf(given: Given, { takes, verb }: ActionCommand, command: string) {
  if (takes === undefined) return {};
  const argument = text(given, takes);
  if (argument === undefined) throw appErrors.USAGE({ problem: `--${takes} is missing: ${verb} needs it`, command });
  return { [takes]: jsonArgument(argument, `--${takes}`, command) };
}

const usageOf = ({ takes, takesForce }: ActionCommand): string =>
  `${takes === undefined ? '' : ` --${takes} <json>`}${takesForce ? ' [--force]' : ''} [--dry-run]`;

const extraHelp = ({ takes, takesForce, isHard }: ActionCommand): Command['help'] => [
  ...(takes === undefined
    ? []
    : [
        [
          `--${takes} <json>`,
          `JSON, or @file. ${takes === 'output' ? 'What the step is taken to have returned.' : 'What the step is tried with.'}`,
        ] as const,
        ['--step <step>', 'Default: the step it is stuck on.'] as const,
      ]),
  ...(takesForce
    ? [
        [
          '--force',
          `Also ${takes === 'input' ? 'when it may have happened already' : 'after the point of no return'}.`,
        ] as const,
      ]
    : []),
  ...(isHard ? [['--yes', 'Do not ask for the id to be typed.'] as const] : []),
  ['--expected-seq <n>', 'Refuse when the journal has another number of records by now.'],
];

const bulkHelp: Command['help'] = [
  ...filterHelp,
  ['--rate <n>', 'With "all": at most this many per second. Default: 50.'],
  ['--yes', 'With "all": do not ask. Needed where nobody can be asked.'],
];
