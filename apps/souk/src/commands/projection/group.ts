import type { CommandGroup } from '../../cli/command-group.ts';
import { listCommand } from './list.ts';
import { rebuildCommand } from './rebuild.ts';

export const projectionCommands: CommandGroup = {
  name: 'projection',
  summary: 'List read models and rebuild them',
  commands: [listCommand, rebuildCommand],
};
