import process from 'node:process';
import type { Palette } from '../drawing/palette.ts';

/** What a command writes to people. */
export interface Terminal extends Palette {
  /** One line. */
  say(line: string): void;
  /** A line that the next one replaces, where the output is a terminal; nothing elsewhere. */
  progress(line: string): void;
  /** Empties the screen, where the output is a terminal. */
  clear(): void;
  /** Characters of a line: the terminal's, or enough for most lines where there is none. */
  readonly width: number;
  /** Somebody sits before it who can be asked. */
  readonly canAsk: boolean;
}

const WIDTH_OF_FILES = 200;

const CLEAR_LINE = '\r\u001b[2K';

/** Standard output. Colours only on a terminal, and not where NO_COLOR is set. */
export function terminal(env: Readonly<Record<string, string | undefined>>): Terminal {
  const out = process.stdout;
  const isTerminal = out.isTTY === true;
  const colours = isTerminal && (env.NO_COLOR ?? '') === '';
  const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  let pending = false;
  const clear = () => {
    if (pending) out.write(CLEAR_LINE);
    pending = false;
  };
  return {
    say: (line) => {
      clear();
      out.write(`${line}\n`);
    },
    progress: (line) => {
      if (!isTerminal) return;
      out.write(`${CLEAR_LINE}${line}`);
      pending = true;
    },
    clear: () => {
      if (isTerminal) out.write('\u001b[H\u001b[2J\u001b[3J');
    },
    width: isTerminal ? Math.max(40, out.columns) : WIDTH_OF_FILES,
    canAsk: isTerminal && process.stdin.isTTY === true,
    bold: paint(1),
    dim: paint(2),
    green: paint(32),
    red: paint(31),
    yellow: paint(33),
  };
}

/** `[#####.....]  50 %` */
export function progressBar(done: number, total: number): string {
  const width = 30;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.round(share * width);
  return `[${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${String(Math.round(share * 100)).padStart(3)} %`;
}
