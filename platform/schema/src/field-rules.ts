import type { DescField } from '@bufbuild/protobuf';
import { readOption } from './contract-options.ts';

/** What a contract says about the value of one field. Zero and empty mean: no rule, or the default. */
export interface FieldRules {
  readonly required: boolean;
  /** Code points of a string, bytes of bytes. */
  readonly minLen: number;
  /** Code points of a string, bytes of bytes. */
  readonly maxLen: number;
  readonly pattern: string;
  readonly format: string;
  /** Prefix of an id. */
  readonly id: string;
  readonly gte?: bigint | undefined;
  readonly lte?: bigint | undefined;
  readonly minItems: number;
  readonly maxItems: number;
  readonly in: readonly string[];
  /** Lower-case name of the request header that REST takes the value from. */
  readonly header: string;
  readonly sensitive: boolean;
  readonly example: string;
}

const NO_RULES: FieldRules = Object.freeze({
  required: false,
  minLen: 0,
  maxLen: 0,
  pattern: '',
  format: '',
  id: '',
  minItems: 0,
  maxItems: 0,
  in: Object.freeze([]),
  header: '',
  sensitive: false,
  example: '',
});

/** A cache of a pure function of immutable descriptors. */
const rulesOf = new WeakMap<DescField, FieldRules>();

export function fieldRules(field: DescField): FieldRules {
  let rules = rulesOf.get(field);
  if (rules === undefined) {
    rules = readOption<FieldRules>(field, 'souk.options.v1.field') ?? NO_RULES;
    rulesOf.set(field, rules);
  }
  return rules;
}
