import type { JsonObject } from '@bufbuild/protobuf';
import {
  type DeadLetter,
  DiscardDeadLettersResponseSchema,
  RedriveDeadLettersResponseSchema,
} from '@souk/contracts/admin/v1/dead_letters';
import { type Command, type Given, wholeNumber } from '../../cli/command.ts';
import { confirmed } from '../../cli/confirm.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { appErrors } from '../../errors.ts';
import { followJob } from '../follow-job.ts';
import { operatorHelp, operatorOf, operatorOptions, reasonOf } from '../operator.ts';
import { filterHelp, filterOf, filterOptions } from './filter.ts';
import { letterTable } from './list.ts';

const help: Command['help'] = [
  ['<id>...', 'As "souk dlq list" names them, or "all" for those that the filter matches.'],
  ['--reason <why>', 'Kept with the letter, for whoever looks at it later.'],
  ['--dry-run', 'Only say how many there are.'],
  ...filterHelp,
  ['--yes', 'With "all": do not ask. Needed where nobody can be asked.'],
];

const options = {
  ...operatorOptions,
  ...filterOptions,
  reason: { type: 'string' },
  'dry-run': { type: 'boolean' },
  yes: { type: 'boolean' },
} as const;

const REDRIVE = 'dlq redrive';
const DISCARD = 'dlq discard';

export const redriveCommand: Command = {
  name: REDRIVE,
  summary: 'Give dead letters to their consumer again',
  usage: `<id>... --reason <why>\n       souk ${REDRIVE} all [--group <fingerprint>] … --reason <why> [--rate <n>] [--yes]`,
  help: [...help, ['--rate <n>', 'At most this many per second. Default: 50.'], ...operatorHelp],
  options: { ...options, rate: { type: 'string' } },
  positional: '<id>...',
  takesSettings: true,
  example: "npx souk dlq redrive all --service orders --reason 'the fault is repaired'",
  run: async (given) => {
    const reason = reasonOf(given, REDRIVE);
    const selection = selectionOf(given, REDRIVE);
    const operator = await operatorOf(given);
    const { ask, out, json } = operator;
    const path = '/api/v1/admin/dead-letters/redrive';
    const request = { selection, reason, ratePerSecond: wholeNumber(given, 'rate', REDRIVE), confirmToken: '' };
    if (isMany(given)) {
      const dryRun = { ...request, dryRun: true };
      const { count, sample, confirmToken } = await ask(RedriveDeadLettersResponseSchema, 'POST', path, dryRun);
      request.confirmToken = confirmToken;
      if (!json) showSample(sample, count, out);
      if (endsHere(given, count)) {
        out.say(json ? JSON.stringify({ count }) : `${count} dead letters match.`);
        return 0;
      }
      if (!(await confirmed(given, out, `Redrive ${count} dead letters`, REDRIVE))) return 1;
    }
    const { job, count } = (await operator.askRaw('POST', path, request)) as { job?: JsonObject; count: number };
    if (job !== undefined) return followJob(operator, job, 'dead letters redriven');
    out.say(json ? JSON.stringify({ count }) : 'There is nothing to redrive: none of them waits for a person.');
    return 1;
  },
};

export const discardCommand: Command = {
  name: DISCARD,
  summary: 'Take dead letters off the list for good',
  usage: `<id>... --reason <why>\n       souk ${DISCARD} all [--group <fingerprint>] … --reason <why> [--yes]`,
  help: [...help, ...operatorHelp],
  options,
  positional: '<id>...',
  takesSettings: true,
  example: "npx souk dlq discard orders-17 --reason 'made by a test'",
  run: async (given) => {
    const reason = reasonOf(given, DISCARD);
    const selection = selectionOf(given, DISCARD);
    const { ask, out, json } = await operatorOf(given);
    const path = '/api/v1/admin/dead-letters/discard';
    const request = { selection, reason, confirmToken: '' };
    if (isMany(given)) {
      const dryRun = { ...request, dryRun: true };
      const { count, sample, confirmToken } = await ask(DiscardDeadLettersResponseSchema, 'POST', path, dryRun);
      request.confirmToken = confirmToken;
      if (!json) showSample(sample, count, out);
      if (endsHere(given, count)) {
        out.say(json ? JSON.stringify({ count }) : `${count} dead letters match.`);
        return 0;
      }
      if (!(await confirmed(given, out, `Discard ${count} dead letters for good`, DISCARD))) return 1;
    }
    const { count } = await ask(DiscardDeadLettersResponseSchema, 'POST', path, request);
    if (json) out.say(JSON.stringify({ count }));
    else if (count === 0) out.say('There is nothing to discard: none of them waits for a person.');
    else out.say(`${out.green('✓')} ${count} dead letters discarded`);
    return count === 0 ? 1 : 0;
  },
};

function showSample(sample: readonly DeadLetter[], count: number, out: Terminal): void {
  if (sample.length === 0) return;
  for (const line of letterTable(sample, out, Date.now())) out.say(line);
  if (count > sample.length) out.say(out.dim(`… and ${count - sample.length} more`));
}

const isAll = ({ positionals }: Given): boolean => positionals.length === 1 && positionals[0] === 'all';

/** Shown and asked for before it is done; one that is named is done at once. */
const isMany = (given: Given): boolean => isAll(given) || given.options['dry-run'] === true;

const endsHere = (given: Given, count: number): boolean => count === 0 || given.options['dry-run'] === true;

/** @throws APP_USAGE when ids are given with a filter, or "all" among ids */
function selectionOf(given: Given, command: string) {
  const filter = filterOf(given);
  if (isAll(given)) return { filter };
  if (given.positionals.includes('all')) {
    throw appErrors.USAGE({ problem: '"all" stands alone, not among ids', command });
  }
  if (Object.values(filter).some((value) => value !== undefined)) {
    throw appErrors.USAGE({ problem: 'either ids or a filter: write "all" to use the filter', command });
  }
  return { ids: given.positionals };
}
