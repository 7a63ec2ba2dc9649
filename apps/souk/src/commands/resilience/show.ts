import { PolicyDetailsSchema } from '@souk/contracts/admin/v1/resilience';
import type { Command } from '../../cli/command.ts';
import { drawPolicy } from '../../drawing/policy-details.ts';
import { operatorHelp, operatorOf, operatorOptions } from '../operator.ts';
import { policyPath } from './policy-path.ts';

export const showCommand: Command = {
  name: 'resilience show',
  summary: 'Show a policy: breaker, slots, latency, what is in force and who changed it',
  usage: '<name> [--json]',
  help: [['<name>', 'As "souk resilience list" names it.'], ...operatorHelp],
  options: operatorOptions,
  positional: '<name>',
  takesSettings: true,
  example: 'npx souk resilience show http:payment-provider',
  run: async (given) => {
    const { out, json, ask, askRaw } = await operatorOf(given);
    const path = policyPath(given.positionals[0] as string);
    if (json) {
      out.say(JSON.stringify(await askRaw('GET', path), null, 2));
      return 0;
    }
    const details = await ask(PolicyDetailsSchema, 'GET', path);
    for (const line of drawPolicy(details, { width: out.width, nowMs: Date.now(), palette: out })) out.say(line);
    return 0;
  },
};
