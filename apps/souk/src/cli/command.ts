import { type ParseArgsConfig, parseArgs } from 'node:util';
import { fromUnknown } from '@souk/kernel';
import { appErrors } from '../errors.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** One command of `souk`. */
export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What stands behind `souk <name>`: `[--products <n>]`. */
  readonly usage: string;
  /** Option name, what it does. `--help` is added. */
  readonly help: readonly (readonly [option: string, what: string])[];
  readonly options: Options;
  /** Settings, `--section.name=value`, may be given. */
  readonly takesSettings: boolean;
  /** What stands without an option, word by word: `<id>`, `<id>...` for one or more, `[<pattern>]` for none or one. @default none */
  readonly positional?: string;
  /** A command line worth copying, shown in the help. */
  readonly example?: string;
  /** @returns the exit code */
  run(given: Given): Promise<number>;
}

/** What was given on the command line. */
export interface Given {
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  /** Settings among the arguments, as they were written. */
  readonly settings: readonly string[];
  /** What stood without an option; as many as the command wants. */
  readonly positionals: readonly string[];
}

const SETTING = /^--[a-z][\w-]*\./i;

/**
 * Tells a command's options from settings.
 * @throws APP_USAGE
 */
export function parseGiven(command: Command, args: readonly string[]): Given {
  const { settings, rest } = splitSettings(args);
  if (settings.length > 0 && !command.takesSettings) {
    throw appErrors.USAGE({
      problem: `${settings[0]} is a setting, and this command takes none`,
      command: command.name,
    });
  }
  const parsed = parse(command, rest);
  if (parsed.options.help !== true) checkPositionals(command, parsed.positionals);
  return { ...parsed, settings };
}

function parse(command: Command, args: readonly string[]): Omit<Given, 'settings'> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...command.options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: command.positional !== undefined,
    });
    return { options: values as Given['options'], positionals };
  } catch (thrown) {
    const { cause } = fromUnknown(thrown);
    const problem =
      cause instanceof Error ? (cause.message.split('. ')[0] as string) : 'the arguments are not understood';
    throw appErrors.USAGE({ problem, command: command.name }, { cause });
  }
}

function checkPositionals({ positional, name }: Command, given: readonly string[]): void {
  if (positional === undefined) return;
  const words = positional.split(' ');
  const missing = words.filter((word) => !word.startsWith('['))[given.length];
  if (missing !== undefined) throw appErrors.USAGE({ problem: `${missing} is missing`, command: name });
  const extra = given[words.length];
  if (extra !== undefined && !/\.\.\.\]?$/.test(positional))
    throw appErrors.USAGE({ problem: `'${extra}' is one too many: only ${positional} is wanted`, command: name });
}

/** A setting's value may stand in the next argument. */
function splitSettings(args: readonly string[]): { settings: string[]; rest: string[] } {
  const settings: string[] = [];
  const rest: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string;
    if (!SETTING.test(argument)) {
      rest.push(argument);
      continue;
    }
    const next = args[index + 1];
    const valueFollows = !argument.includes('=') && next !== undefined && !next.startsWith('--');
    settings.push(valueFollows ? `${argument}=${next}` : argument);
    if (valueFollows) index += 1;
  }
  return { settings, rest };
}

/** A whole number given as an option. @throws APP_USAGE */
export function wholeNumber(given: Given, name: string, command: string): number | undefined {
  const text = given.options[name];
  if (text === undefined) return undefined;
  if (typeof text === 'string' && /^\d{1,9}$/.test(text)) return Number(text);
  throw appErrors.USAGE({ problem: `--${name} wants a whole number, got '${text}'`, command });
}

/** The page behind `--help`. */
export function commandHelp(command: Command): string {
  const rows = [...command.help, ['-h, --help', 'Show this.'] as const];
  const settings = command.takesSettings
    ? '\nSettings may be given as --section.name=value; "souk config" lists them.\n'
    : '';
  const example = command.example === undefined ? '' : `\nExample: ${command.example}\n`;
  return `${command.summary}\n\nUsage: souk ${command.name} ${command.usage}\n\n${table(rows)}\n${example}${settings}`;
}

/** Two columns, aligned. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
