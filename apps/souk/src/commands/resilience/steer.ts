import type { JsonObject } from '@bufbuild/protobuf';
import {
  type Breaker,
  Breaker_State as BreakerState,
  type Policy,
  type PolicyDetails,
  PolicyDetailsSchema,
} from '@souk/contracts/admin/v1/resilience';
import type { Command, Given } from '../../cli/command.ts';
import { confirmed } from '../../cli/confirm.ts';
import type { Terminal } from '../../cli/terminal.ts';
import { printable } from '../../drawing/line.ts';
import { overrideWords, stateOf } from '../../drawing/policy-words.ts';
import { span } from '../../drawing/span.ts';
import { appErrors } from '../../errors.ts';
import { decode, type Operator, operatorHelp, operatorOf, operatorOptions, reasonOf, text } from '../operator.ts';
import { policyPath } from './policy-path.ts';

const ISOLATE = 'resilience isolate';
const RELEASE = 'resilience release';
const RESET = 'resilience reset';

const help: Command['help'] = [
  ['<name>', 'As "souk resilience list" names it.'],
  ['--reason <why>', 'Kept in the log, for whoever asks later.'],
];
const options = { ...operatorOptions, reason: { type: 'string' } } as const;

export const isolateCommand: Command = {
  name: ISOLATE,
  summary: 'Call a target no more, for a time',
  usage: '<name> --for <time> --reason <why> [--here]',
  help: [
    ['<name>', 'As "souk resilience list" names it. It must have a breaker.'],
    ['--for <time>', 'How long: 30s, 10m, 2h, at most 7d. Once more: the new time holds.'],
    ['--reason <why>', 'Shown to whoever finds it isolated, and kept in the log.'],
    ['--here', 'Only in the process that answers. Default: on all instances that share breakers.'],
    ...operatorHelp,
  ],
  options: { ...options, for: { type: 'string' }, here: { type: 'boolean' } },
  positional: '<name>',
  takesSettings: true,
  example: "npx souk resilience isolate http:payment-provider --for 10m --reason 'the provider asked us to wait'",
  run: async (given) => {
    const [reason, ttl, name] = [reasonOf(given, ISOLATE), ttlOf(given), nameOf(given)];
    const hereOnly = given.options.here === true;
    return steer(await operatorOf(given), 'isolate', name, { reason, ttl, hereOnly }, ({ policy, reports }, out) => {
      const where = !hereOnly && reports.length > 0 ? ' on all instances' : '';
      out.say(`${out.green('✓')} ${printable(name)} is isolated for ${ttl}${where}: its target is not called`);
      sayHeld(policy, out);
      out.say(out.dim(`  sooner: npx souk ${RELEASE} ${name} --reason '…'`));
    });
  },
};

export const releaseCommand: Command = {
  name: RELEASE,
  summary: 'End an isolation before its time',
  usage: '<name> --reason <why> [--owner <owner>]',
  help: [
    ...help,
    ['--owner <owner>', 'Whose isolation, as "souk resilience show" names it. Default: yours.'],
    ...operatorHelp,
  ],
  options: { ...options, owner: { type: 'string' } },
  positional: '<name>',
  takesSettings: true,
  example: "npx souk resilience release http:payment-provider --reason 'the provider is back'",
  run: async (given) => {
    const [reason, name] = [reasonOf(given, RELEASE), nameOf(given)];
    const body = { reason, owner: text(given, 'owner') ?? '' };
    return steer(await operatorOf(given), 'release', name, body, sayStanding);
  },
};

export const resetCommand: Command = {
  name: RESET,
  summary: 'Close a breaker and let it forget what it has seen; ends isolations too',
  usage: '<name> --reason <why> [--yes]',
  help: [
    ...help,
    ['--yes', 'Do not ask when that ends an isolation. Needed where nobody can be asked.'],
    ...operatorHelp,
  ],
  options: { ...options, yes: { type: 'boolean' } },
  positional: '<name>',
  takesSettings: true,
  example: "npx souk resilience reset http:payment-provider --reason 'the provider is back'",
  run: async (given) => {
    const [reason, name] = [reasonOf(given, RESET), nameOf(given)];
    const operator = await operatorOf(given);
    const { policy } = await operator.ask(PolicyDetailsSchema, 'GET', policyPath(name));
    const held = printable((policy?.breaker?.overrides ?? []).map(overrideWords).join('; '));
    const question = `Reset ${name}, ${held}`;
    if (held !== '' && !(await confirmed(given, operator.out, question, RESET))) return 1;
    return steer(operator, 'reset', name, { reason }, sayStanding);
  },
};

async function steer(
  operator: Operator,
  verb: 'isolate' | 'release' | 'reset',
  name: string,
  body: JsonObject,
  say: (details: PolicyDetails, out: Terminal) => void,
): Promise<number> {
  const answer = await operator.askRaw('POST', policyPath(name, verb), body);
  if (operator.json) operator.out.say(JSON.stringify(answer, null, 2));
  else say(decode(PolicyDetailsSchema, answer), operator.out);
  return 0;
}

/** How it stands after an isolation has ended. */
function sayStanding({ policy, reports }: PolicyDetails, out: Terminal): void {
  if (policy === undefined) return;
  const { name, breaker } = policy;
  const is = breaker === undefined ? 'it has no breaker' : `its breaker is ${stateOf(breaker)}${nextOf(breaker)}`;
  out.say(`${out.green('✓')} ${printable(name)}: ${is}`);
  sayHeld(policy, out);
  if (reports.length > 0)
    out.say(out.dim(`  all instances hear of it within seconds: npx souk resilience show ${name}`));
}

/** What an open breaker waits for. */
function nextOf({ state, openForSeconds }: Breaker): string {
  if (state !== BreakerState.OPEN) return '';
  return openForSeconds > 0 ? `, for ${span(openForSeconds * 1000)} more` : ', and the next call tries its target';
}

function sayHeld(policy: Policy | undefined, out: Terminal): void {
  for (const override of policy?.breaker?.overrides ?? []) out.say(`  ${printable(overrideWords(override))}`);
}

const nameOf = ({ positionals }: Given): string => positionals[0] as string;

const TTL = /^0*[1-9]\d{0,5}[smhd]$/;

/** @throws APP_USAGE */
function ttlOf(given: Given): string {
  const ttl = text(given, 'for');
  if (ttl !== undefined && TTL.test(ttl)) return ttl;
  const problem =
    ttl === undefined
      ? '--for must say how long: 30s, 10m, 2h'
      : `--for wants a time such as 30s, 10m or 2h, got '${ttl}'`;
  throw appErrors.USAGE({ problem, command: ISOLATE });
}
