import type { EffectiveSetting } from '@souk/config';
import type { Command } from '../cli/command.ts';
import { terminal } from '../cli/terminal.ts';
import { loadShopSettings } from '../load-shop-settings.ts';

export const configCommand: Command = {
  name: 'config',
  summary: 'Show the settings in force, and where each came from',
  usage: '[--json] [--explain]',
  help: [
    ['--json', 'For machines.'],
    ['--explain', 'Say what each setting does, what is allowed, and how to set it.'],
  ],
  options: { json: { type: 'boolean' }, explain: { type: 'boolean' } },
  takesSettings: true,
  run: async (given) => {
    const { effective, warnings, env } = await loadShopSettings(given.settings);
    const out = terminal(env);
    if (given.options.json === true) {
      out.say(JSON.stringify(effective, null, 2));
      return 0;
    }
    const width = Math.max(...effective.map(({ name }) => name.length));
    for (const setting of effective) {
      const value = setting.value ?? '(not set)';
      out.say(`${setting.name.padEnd(width)}  ${out.bold(value)}  ${out.dim(setting.origin)}`);
      if (given.options.explain === true) out.say(explain(setting));
    }
    for (const warning of warnings) out.say(`note: ${warning}`);
    return 0;
  },
};

const explain = ({ description, allowed, env, flag }: EffectiveSetting): string =>
  `    ${description}\n    Allowed: ${allowed}. Set it with ${flag} or ${env.join(' or ')}.\n`;
