import { ListPoliciesResponseSchema, type Policy, type PolicyChange } from '@souk/contracts/admin/v1/resilience';
import type { Command } from '../../cli/command.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { policyOverview } from '../../drawing/policy-table.ts';
import { countOf } from '../../drawing/policy-words.ts';
import { decode, operatorHelp, operatorOf, operatorOptions, query, text } from '../operator.ts';
import { POLICIES } from './policy-path.ts';

const LARGEST_PAGE = 500;

export const listCommand: Command = {
  name: 'resilience list',
  summary: 'List policies, those that are not well first',
  usage: '[<pattern>] [--troubled] [--kind <kind>] [--all] [--json]',
  help: [
    ['<pattern>', "Only this one, or those whose names begin so: 'rpc:payments.*'."],
    ['--troubled', 'Only those that are not well.'],
    ['--kind <kind>', 'Only of this kind: call, server, waiting, publish, consume, sql, http or email.'],
    ['--all', 'Also those that were never called. --json has them anyway.'],
    ...operatorHelp,
  ],
  options: {
    ...operatorOptions,
    troubled: { type: 'boolean' },
    kind: { type: 'string' },
    all: { type: 'boolean' },
  },
  positional: '[<pattern>]',
  takesSettings: true,
  example: 'npx souk resilience list --troubled',
  run: async (given) => {
    const { out, json, askRaw } = await operatorOf(given);
    const [pattern] = given.positionals;
    const troubled = given.options.troubled === true ? 'true' : undefined;
    const filter = { pattern, kind: text(given, 'kind'), troubled, page_size: LARGEST_PAGE };
    const policies: Policy[] = [];
    const raw: unknown[] = [];
    let rawChanges: unknown;
    let changes: readonly PolicyChange[] = [];
    let token = '';
    do {
      const answer = await askRaw('GET', `${POLICIES}${query({ ...filter, page_token: token })}`);
      const { policies: items, changes: laid } = answer as { policies: unknown[]; changes: unknown };
      raw.push(...items);
      rawChanges = laid;
      const page = decode(ListPoliciesResponseSchema, answer);
      policies.push(...page.policies);
      changes = page.changes;
      token = page.nextPageToken;
    } while (token !== '');
    if (json) out.say(JSON.stringify({ policies: raw, changes: rawChanges }, null, 2));
    else show(out, policies, changes, given.options);
    return 0;
  },
};

function show(
  out: Terminal,
  policies: readonly Policy[],
  changes: readonly PolicyChange[],
  { all, troubled }: { readonly all?: unknown; readonly troubled?: unknown },
): void {
  const isWorthALine = (one: Policy): boolean => all === true || one.troubles.length > 0 || countOf(one, 'calls') > 0;
  const shown = policies.filter(isWorthALine);
  if (policies.length === 0) out.say(troubled === true ? 'All is well.' : 'No such policy.');
  if (shown.length > 0 || changes.length > 0)
    for (const line of policyOverview(shown, changes, { width: out.width, palette: out })) out.say(line);
  const idle = policies.length - shown.length;
  if (idle > 0) out.say(out.dim(`${shown.length === 0 ? 'All' : 'Further'} ${idle} were never called: --all`));
}
