import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { appErrors } from '../errors.ts';
import type { Given } from './command.ts';
import type { Terminal } from './terminal.ts';

/**
 * Asks before many things are changed at once, unless `--yes` was given.
 *
 * @param word What must be typed. @default `yes`
 * @returns whether to go on
 * @throws APP_USAGE where nobody can be asked
 */
export async function confirmed(
  given: Given,
  out: Terminal,
  question: string,
  command: string,
  word = 'yes',
): Promise<boolean> {
  if (given.options.yes === true) return true;
  if (!out.canAsk) {
    throw appErrors.USAGE({ problem: `${question}: nobody can be asked here, so --yes is needed`, command });
  }
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await lines.question(`${question}? Type ${word} to go on: `)).trim() === word;
  } finally {
    lines.close();
  }
}
