import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { appErrors } from '../../errors.ts';
import { jsonArgument } from '../json-argument.ts';

const ASSIGNMENT = /^([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)=(.*)$/s;
const HOW = 'write options as retry.maxAttempts=2, or all of them as one JSON object';

/**
 * What is laid over policies: one JSON object, `@file`, or options by their paths, such as `timeout=500 hedge=null`.
 * A value that is no JSON is taken as a text.
 * @returns null where all that was set shall be taken back
 * @throws APP_USAGE
 */
export function changeArgument(words: readonly string[], command: string): JsonObject | null {
  const assignments = words.map((word) => ASSIGNMENT.exec(word));
  const refuse = (problem: string) => appErrors.USAGE({ problem, command });
  if (assignments.every((found) => found !== null)) {
    const change: JsonObject = {};
    for (const [word, path, value] of assignments as unknown as [string, string, string][])
      if (!lay(change, path.split('.'), readValue(value))) throw refuse(`'${word}' contradicts another option: ${HOW}`);
    return change;
  }
  const [word = '', extra] = words;
  if (extra !== undefined) throw refuse(`'${words[assignments.indexOf(null)]}' is no option with a value: ${HOW}`);
  if (!/^[@{[]|^(null|true|false|-?\d.*)$/.test(word)) throw refuse(`'${word}' is no change: ${HOW}`);
  const json = jsonArgument(word, '<change>', command);
  if (json === null) return null;
  if (typeof json !== 'object' || Array.isArray(json)) throw refuse(`'${word}' is no change: ${HOW}`);
  return json;
}

/** @returns false where the option, or one above it, has a value already */
function lay(object: JsonObject, [name = '', ...rest]: readonly string[], value: JsonValue): boolean {
  // Inherited ones are no options.
  const there = Object.hasOwn(object, name) ? object[name] : undefined;
  if (rest.length === 0) {
    if (there !== undefined) return false;
    object[name] = value;
    return true;
  }
  if (there === undefined) object[name] = {};
  else if (typeof there !== 'object' || there === null || Array.isArray(there)) return false;
  return lay(object[name] as JsonObject, rest, value);
}

function readValue(text: string): JsonValue {
  try {
    const value = JSON.parse(text) as JsonValue;
    // A number beyond all bounds would become null on its way, and null takes a layer away.
    return typeof value === 'number' && !Number.isFinite(value) ? text : value;
  } catch {
    return text;
  }
}
