import type { DescField } from '@bufbuild/protobuf';
import { isId } from '@souk/kernel';
import { schemaErrors } from './errors.ts';
import type { FieldRules } from './field-rules.ts';
import { formatNamed } from './format.ts';

const DEFAULT_MAX_LEN = 1024;

/** Strings that may be this long are texts, which have lines and tabs. */
const TEXT_FROM_LEN = 256;

// Halves of surrogate pairs, control characters, and characters that reorder the text around them: they make a value look like
// another one, break logs and files, or cannot be stored.
const FORBIDDEN = /[\p{Cs}\p{Cc}\u202A-\u202E\u2066-\u2069]/u;
const FORBIDDEN_IN_TEXT = /[[\p{Cs}\p{Cc}\u202A-\u202E\u2066-\u2069]--[\n\r\t]]/v;

/** @returns What is wanted of the string, or undefined when it is good. */
export type StringCheck = (value: string) => string | undefined;

/** @throws SCHEMA_BAD_CONTRACT for a format that does not exist or a pattern that is not one */
export function compileStringCheck(rules: FieldRules, field: DescField): StringCheck {
  const max = rules.maxLen || DEFAULT_MAX_LEN;
  const min = rules.minLen;
  const forbidden = rules.maxLen >= TEXT_FROM_LEN ? FORBIDDEN_IN_TEXT : FORBIDDEN;
  const rest = valueChecks(rules, field);
  return (value) => {
    // A code point takes one or two units: only strings near a limit are counted.
    if (value.length > max && (value.length > 2 * max || codePoints(value) > max))
      return `must have at most ${max} characters`;
    if (value.length < 2 * min && codePoints(value) < min) return `must have at least ${min} characters`;
    if (forbidden.test(value)) return 'must not hold control characters or broken Unicode';
    for (const check of rest) {
      const wanted = check(value);
      if (wanted !== undefined) return wanted;
    }
    return undefined;
  };
}

function valueChecks(rules: FieldRules, field: DescField): readonly StringCheck[] {
  const checks: StringCheck[] = [];
  const add = (test: (value: string) => boolean, wanted: string) =>
    checks.push((value) => (test(value) ? undefined : wanted));
  if (rules.id !== '') add((value) => isId(value, rules.id), `must be an id that starts with ${rules.id}_`);
  if (rules.format !== '') {
    const format = formatNamed(rules.format);
    if (format === undefined)
      throw schemaErrors.BAD_CONTRACT({ subject: String(field), why: `no format ${rules.format}` });
    add(format.test, format.wanted);
  }
  if (rules.pattern !== '') {
    const pattern = compilePattern(rules.pattern, field);
    add((value) => pattern.test(value), `must match ${rules.pattern}`);
  }
  if (rules.in.length > 0) {
    const allowed = new Set(rules.in);
    add((value) => allowed.has(value), `must be one of ${rules.in.join(', ')}`);
  }
  return checks;
}

function compilePattern(pattern: string, field: DescField): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch (cause) {
    throw schemaErrors.BAD_CONTRACT(
      { subject: String(field), why: 'its pattern is not a regular expression' },
      { cause },
    );
  }
}

function codePoints(value: string): number {
  let count = 0;
  for (let index = 0; index < value.length; index++) {
    const unit = value.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff && index + 1 < value.length) {
      const next = value.charCodeAt(index + 1);
      if (next >= 0xdc00 && next <= 0xdfff) index++;
    }
    count++;
  }
  return count;
}
