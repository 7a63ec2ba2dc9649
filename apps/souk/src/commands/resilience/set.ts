import { ListPoliciesResponseSchema, SetPolicyResponseSchema } from '@souk/contracts/admin/v1/resilience';
import type { Command, Given } from '../../cli/command.ts';
import { confirmed } from '../../cli/confirm.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { printable } from '../../drawing/line.ts';
import { appErrors } from '../../errors.ts';
import { decode, type Operator, operatorHelp, operatorOf, operatorOptions, query, reasonOf } from '../operator.ts';
import { changeArgument } from './change-argument.ts';
import { POLICIES, quoted } from './policy-path.ts';

const NAME = 'resilience set';
const CHANGES = '/api/v1/admin/resilience/changes';

export const setCommand: Command = {
  name: NAME,
  summary: 'Lay a change over policies, until the process ends, or take it back',
  usage: `<pattern> <option>=<value>... --reason <why> [--dry-run] [--yes]
       souk ${NAME} <pattern> <json> --reason <why> [--dry-run] [--yes]
       souk ${NAME} <pattern> --clear --reason <why>`,
  help: [
    ['<pattern>', "A policy, or the beginning of names and a star: 'rpc:payments.*'. The longer pattern wins."],
    [
      '<option>=<value>',
      'timeout=500, retry.maxAttempts=2, bulkhead.limit=32, mode=shadow; hedge=null takes a layer away.',
    ],
    ['<json>', 'The same as one JSON object, or @file; null is --clear.'],
    ['--clear', 'Take back all that was set for this pattern.'],
    ['--reason <why>', 'Kept with the change and in the log, for whoever asks later.'],
    ['--dry-run', 'Only say what would change, or what is wrong with it.'],
    ['--yes', 'With a star: do not ask. Needed where nobody can be asked.'],
    ...operatorHelp,
  ],
  options: {
    ...operatorOptions,
    reason: { type: 'string' },
    clear: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    yes: { type: 'boolean' },
  },
  positional: '<pattern> [<change>...]',
  takesSettings: true,
  example: "npx souk resilience set http:payment-provider timeout=3000 --reason 'the provider is slow tonight'",
  run: async (given) => {
    const reason = reasonOf(given, NAME);
    const [pattern, ...words] = given.positionals as [string, ...string[]];
    const change = changeOf(given, words);
    const operator = await operatorOf(given);
    const { out, json } = operator;
    const seen = await look(operator, pattern);
    if (change === null && !seen.patterns.includes(pattern)) {
      const others = seen.patterns.length === 0 ? 'nor for any other' : `only for ${seen.patterns.join(', ')}`;
      throw appErrors.REFUSED({ what: 'to take it back', why: printable(`nothing is set for ${pattern}, ${others}`) });
    }
    const isDry = given.options['dry-run'] === true;
    const ask = (dryRun: boolean) => operator.askRaw('POST', CHANGES, { pattern, change, reason, dryRun });
    if (isDry || pattern.endsWith('*')) {
      const preview = await ask(true);
      const { changed } = decode(SetPolicyResponseSchema, preview);
      if (!json) foretell(out, changed, pattern, seen.fits);
      else if (isDry) out.say(JSON.stringify(preview, null, 2));
      if (isDry) return 0;
      if (!(await confirmed(given, out, `Change ${policies(changed.length)}`, NAME))) return 1;
    }
    const answer = await ask(false);
    if (json) out.say(JSON.stringify(answer, null, 2));
    else
      tell(out, decode(SetPolicyResponseSchema, answer).changed, pattern, { isBack: change === null, fits: seen.fits });
    return 0;
  },
};

const policies = (count: number): string => (count === 1 ? '1 policy' : `${count} policies`);

function foretell(out: Terminal, changed: readonly string[], pattern: string, fits: boolean): void {
  if (changed.length === 0) out.say(unchanged(pattern, fits));
  else out.say(`${policies(changed.length)} would change:`);
  for (const name of changed) out.say(`  ${printable(name)}`);
}

function tell(
  out: Terminal,
  changed: readonly string[],
  pattern: string,
  { isBack, fits }: { readonly isBack: boolean; readonly fits: boolean },
): void {
  const ok = out.green('✓');
  const what = printable(changed.length === 1 ? (changed[0] as string) : policies(changed.length));
  if (isBack) {
    out.say(`${ok} taken back: nothing is set for ${printable(pattern)} any more; changed by that: ${what}`);
    return;
  }
  if (changed.length === 0) out.say(out.yellow(unchanged(pattern, fits)));
  else out.say(`${ok} changed: ${what}, for calls that begin from now on, until the process ends`);
  out.say(out.dim(`  take it back: npx souk ${NAME} ${quoted(pattern)} --clear --reason '…'`));
}

const unchanged = (pattern: string, fits: boolean): string =>
  printable(
    fits
      ? `No policy changes: ${pattern} is so already, or a longer pattern wins`
      : `No policy fits ${pattern} now, the change waits for those that will; "souk resilience list --all" names those that there are`,
  );

/** @throws APP_USAGE */
function changeOf(given: Given, words: readonly string[]) {
  const isClear = given.options.clear === true;
  if (isClear !== words.length > 0) return isClear ? null : changeArgument(words, NAME);
  throw appErrors.USAGE({
    problem: isClear
      ? '--clear takes all back, so nothing can be set beside it'
      : '<change> is missing: say what to set',
    command: NAME,
  });
}

/** Whether any policy fits, and for which patterns something is set. */
async function look(
  { ask }: Operator,
  pattern: string,
): Promise<{ readonly fits: boolean; readonly patterns: readonly string[] }> {
  const path = `${POLICIES}${query({ pattern, page_size: 1 })}`;
  const page = await ask(ListPoliciesResponseSchema, 'GET', path);
  return { fits: page.policies.length > 0, patterns: page.changes.map((one) => one.pattern) };
}
