import type { CommandGroup } from '../../cli/command-group.ts';
import { discardCommand, redriveCommand } from './change.ts';
import { groupsCommand } from './groups.ts';
import { listCommand } from './list.ts';
import { showCommand } from './show.ts';

export const dlqCommands: CommandGroup = {
  name: 'dlq',
  summary: 'List, show, redrive and discard events that could not be handled',
  commands: [listCommand, groupsCommand, showCommand, redriveCommand, discardCommand],
};
