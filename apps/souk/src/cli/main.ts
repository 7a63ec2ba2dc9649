import process from 'node:process';
import { readEnvironment } from '@souk/config';
import { fromUnknown } from '@souk/kernel';
import { configCommand } from '../commands/config.ts';
import { demoCommands } from '../commands/demo/group.ts';
import { dlqCommands } from '../commands/dlq/group.ts';
import { orderCommand } from '../commands/order.ts';
import { projectionCommands } from '../commands/projection/group.ts';
import { resilienceCommands } from '../commands/resilience/group.ts';
import { restartCommand } from '../commands/restart.ts';
import { sagaCommands } from '../commands/saga/group.ts';
import { seedCommand } from '../commands/seed.ts';
import { serveCommand } from '../commands/serve.ts';
import { statusCommand } from '../commands/status.ts';
import { upCommand } from '../commands/up.ts';
import { type Command, commandHelp, parseGiven, table } from './command.ts';
import { type Entry, findCommand, groupHelp } from './command-group.ts';

const COMMANDS: readonly Entry[] = [
  upCommand,
  orderCommand,
  statusCommand,
  restartCommand,
  sagaCommands,
  dlqCommands,
  projectionCommands,
  resilienceCommands,
  seedCommand,
  configCommand,
  demoCommands,
  serveCommand,
];

const USAGE = `souk: a shop of eight services, and the platform below it

Usage: souk <command> [options]

${table(COMMANDS.map(({ name, summary }) => [name, summary]))}

"souk <command> --help" says more.
`;

/** Exit code of a command line that was not understood, as shells use it. */
const USAGE_ERROR = 2;

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  const [name] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(USAGE);
    return name === undefined ? USAGE_ERROR : 0;
  }
  const found = findCommand(COMMANDS, args);
  if (found.is === 'command') return runCommand(found.command, found.args);
  if (found.is === 'group') {
    process.stdout.write(groupHelp(found.group));
    return found.asked ? 0 : USAGE_ERROR;
  }
  process.stderr.write(`souk: there is no command '${found.name}'; "${found.help}" lists them\n`);
  return USAGE_ERROR;
}

async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  try {
    const given = parseGiven(command, args);
    if (given.options.help === true) {
      process.stdout.write(commandHelp(command));
      return 0;
    }
    return await command.run(given);
  } catch (thrown) {
    return report(thrown);
  }
}

/** One line for people; all of it where somebody looks for a fault. */
function report(thrown: unknown): number {
  const error = fromUnknown(thrown);
  process.stderr.write(`souk: ${error.message}\n`);
  const debug = readEnvironment().SOUK_DEBUG !== undefined;
  if (debug || error.reason === 'SOUK_INTERNAL')
    process.stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
  return error.reason === 'APP_USAGE' ? USAGE_ERROR : 1;
}
