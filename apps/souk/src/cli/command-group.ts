import { type Command, table } from './command.ts';

/** Commands that share their first word: `souk saga list`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  /** Their names begin with the group's: `saga list`. */
  readonly commands: readonly Command[];
}

export type Entry = Command | CommandGroup;

/** What the words of a command line mean. */
export type Found =
  | { readonly is: 'command'; readonly command: Command; readonly args: readonly string[] }
  /** `asked`: for its help; otherwise the second word is missing. */
  | { readonly is: 'group'; readonly group: CommandGroup; readonly asked: boolean }
  | { readonly is: 'nothing'; readonly name: string; readonly help: string };

const HELP = ['--help', '-h', 'help'];

export function findCommand(entries: readonly Entry[], args: readonly string[]): Found {
  const [name = '', ...rest] = args;
  const entry = entries.find((one) => one.name === name);
  if (entry === undefined) return { is: 'nothing', name, help: 'souk --help' };
  if (!('commands' in entry)) return { is: 'command', command: entry, args: rest };
  const [second, ...others] = rest;
  if (second === undefined || HELP.includes(second)) {
    return { is: 'group', group: entry, asked: second !== undefined };
  }
  const command = entry.commands.find((one) => one.name === `${name} ${second}`);
  if (command !== undefined) return { is: 'command', command, args: others };
  return { is: 'nothing', name: `${name} ${second}`, help: `souk ${name} --help` };
}

/** The page behind `souk saga --help`. */
export const groupHelp = ({ name, summary, commands }: CommandGroup): string => `${summary}

Usage: souk ${name} <command> [options]

${table(commands.map((one) => [one.name.slice(name.length + 1), one.summary]))}

"souk ${name} <command> --help" says more.
`;
