import { readFileSync } from 'node:fs';
import type { JsonValue } from '@bufbuild/protobuf';
import { appErrors } from '../errors.ts';

/**
 * JSON from the command line, or from the file after an `@`.
 * @param name As the help calls it: `--output`.
 * @throws APP_USAGE; never with the text, which may be personal
 */
export function jsonArgument(argument: string, name: string, command: string): JsonValue {
  const fromFile = argument.startsWith('@');
  try {
    return JSON.parse(fromFile ? readFileSync(argument.slice(1), 'utf8') : argument) as JsonValue;
  } catch (cause) {
    const what = fromFile ? `the file ${argument.slice(1)}, which cannot be read as JSON` : 'what is no JSON';
    throw appErrors.USAGE({ problem: `${name} was given ${what}`, command }, { cause });
  }
}
