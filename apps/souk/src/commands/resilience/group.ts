import type { CommandGroup } from '../../cli/command-group.ts';
import { listCommand } from './list.ts';
import { setCommand } from './set.ts';
import { showCommand } from './show.ts';
import { isolateCommand, releaseCommand, resetCommand } from './steer.ts';

export const resilienceCommands: CommandGroup = {
  name: 'resilience',
  summary: 'List, show and steer policies: set, isolate, release, reset',
  commands: [listCommand, showCommand, setCommand, isolateCommand, releaseCommand, resetCommand],
};
