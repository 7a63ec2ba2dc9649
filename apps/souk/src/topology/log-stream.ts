/** Writes the lines of all processes as one stream. */
export interface LogStream {
  write(process: string, line: string): void;
}

export interface LogStreamInit {
  /** `json`: lines are passed on as they are, for machines; each says its service itself. `pretty`: behind the name of the process. */
  readonly format: 'json' | 'pretty';
  readonly colour: boolean;
  /** Names of processes, to line them up. */
  readonly names: readonly string[];
  readonly out: (line: string) => void;
}

/** Colours of a terminal that can be read on light and dark ground; no red, which means trouble. */
const COLOURS = [36, 32, 35, 34, 33, 96, 92, 95, 94, 93];

export function createLogStream({ format, colour, names, out }: LogStreamInit): LogStream {
  if (format === 'json') return { write: (_process, line) => out(line) };
  // Room for a number of two digits.
  const width = Math.max(...names.map((name) => name.length)) + 3;
  const prefixes = new Map<string, string>();
  const prefixOf = (process: string): string => {
    let prefix = prefixes.get(process);
    if (prefix === undefined) {
      const kind = process.replace(/-\d+$/, '');
      const at = names.indexOf(kind);
      const code = COLOURS[(at === -1 ? names.length : at) % COLOURS.length];
      const padded = process.padEnd(width);
      prefix = colour ? `\u001b[${code}m${padded}│\u001b[0m ` : `${padded}| `;
      prefixes.set(process, prefix);
    }
    return prefix;
  };
  return { write: (process, line) => out(prefixOf(process) + line) };
}
