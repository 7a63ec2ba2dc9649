import type { CommandGroup } from '../../cli/command-group.ts';
import { demoResilienceCommand } from './resilience.ts';

export const demoCommands: CommandGroup = {
  name: 'demo',
  summary: 'Break a throw-away shop and watch it mend: resilience',
  commands: [demoResilienceCommand],
};
