import type { FieldRules } from './field-rules.ts';

/** @returns What is wanted of the number, or undefined when it is good. Strings are 64-bit integers of fields declared so. */
export type NumberCheck = (value: number | bigint | string) => string | undefined;

export function compileNumberCheck(rules: FieldRules): NumberCheck {
  const { gte, lte } = rules;
  // JavaScript compares numbers and bigints by their mathematical value, without rounding.
  return (value) => {
    const number = typeof value === 'string' ? BigInt(value) : value;
    // Written so that NaN, which compares to nothing, is refused.
    if (gte !== undefined && !(number >= gte)) return `must be at least ${gte}`;
    if (lte !== undefined && !(number <= lte)) return `must be at most ${lte}`;
    return undefined;
  };
}
