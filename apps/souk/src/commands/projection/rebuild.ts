import type { Command } from '../../cli/command.ts';
import { confirmed } from '../../cli/confirm.ts';
import { followJob } from '../follow-job.ts';
import { operatorHelp, operatorOf, operatorOptions, reasonOf, text } from '../operator.ts';

const NAME = 'projection rebuild';

export const rebuildCommand: Command = {
  name: NAME,
  summary: 'Make a read model anew from all events',
  usage: '<name> --reason <why> [--service <service>] [--yes]',
  help: [
    ['<name>', 'As "souk projection list" names it.'],
    ['--reason <why>', 'Kept in the log, for whoever asks later.'],
    ['--service <service>', 'Where more than one service has a projection of this name.'],
    ['--yes', 'Do not ask. Needed where nobody can be asked.'],
    ...operatorHelp,
  ],
  options: {
    ...operatorOptions,
    service: { type: 'string' },
    reason: { type: 'string' },
    yes: { type: 'boolean' },
  },
  positional: '<name>',
  takesSettings: true,
  example: "npx souk projection rebuild order-history --reason 'totals were counted wrongly'",
  run: async (given) => {
    const reason = reasonOf(given, NAME);
    const [name] = given.positionals as [string];
    const operator = await operatorOf(given);
    if (!(await confirmed(given, operator.out, `Rebuild ${name} from all events`, NAME))) return 1;
    const path = `/api/v1/admin/projections/${encodeURIComponent(name)}/rebuild`;
    const job = await operator.askRaw('POST', path, { service: text(given, 'service'), reason });
    return followJob(operator, job, 'events seen');
  },
};
