import { type DescField, type DescMessage, type Message, type MessageShape, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import type { Violation } from '@souk/kernel';
import { type FieldRules, fieldRules } from './field-rules.ts';
import { compileNumberCheck } from './number-check.ts';
import { plainForm } from './plain-form.ts';
import { MAX_VIOLATIONS, report, step } from './pointer.ts';
import { compileStringCheck } from './string-check.ts';

/** Checks a message against the rules of its contract. @returns What is wrong with it, at most 20 entries; empty: nothing. */
export type Validator<TDesc extends DescMessage = DescMessage> = (message: MessageShape<TDesc>) => readonly Violation[];

type Fields = Record<string, unknown>;
type MessageCheck = (message: Fields, pointer: string, out: Violation[]) => void;
type ValueCheck = (value: unknown, pointer: string, out: Violation[]) => void;

const DEFAULT_MAX_ITEMS = 1000;
const DEFAULT_MAX_BYTES = 1_048_576;
const GOOD: readonly Violation[] = Object.freeze([]);
const TIMESTAMP_SECONDS = { from: -62_135_596_800n, to: 253_402_300_799n };

/** A cache of a pure function of immutable descriptors; also what lets a message contain itself. */
const checks = new WeakMap<DescMessage, MessageCheck>();

/** @throws SCHEMA_BAD_CONTRACT when a rule of the contract cannot be applied */
export function compileValidator<TDesc extends DescMessage>(desc: TDesc): Validator<TDesc> {
  const check = messageCheck(desc);
  return (message) => {
    const out: Violation[] = [];
    check(message as Message as unknown as Fields, '', out);
    return out.length === 0 ? GOOD : out;
  };
}

function messageCheck(desc: DescMessage): MessageCheck {
  const known = checks.get(desc);
  if (known !== undefined) return known;
  let steps: readonly MessageCheck[] = [];
  const check: MessageCheck = (message, pointer, out) => {
    for (let index = 0; index < steps.length; index++) steps[index]?.(message, pointer, out);
  };
  checks.set(desc, check);
  try {
    steps = desc.typeName === 'google.protobuf.Timestamp' ? [timestampCheck] : desc.fields.map(fieldCheck);
  } catch (error) {
    checks.delete(desc);
    throw error;
  }
  return check;
}

/** Beyond these years a timestamp has no JSON form. */
const timestampCheck: MessageCheck = (message, pointer, out) => {
  const { seconds, nanos } = message as { seconds: bigint; nanos: number };
  const inRange = seconds >= TIMESTAMP_SECONDS.from && seconds <= TIMESTAMP_SECONDS.to && nanos >= 0 && nanos < 1e9;
  if (!inRange) report(out, pointer, 'must be a time between the years 1 and 9999');
};

function fieldCheck(field: DescField): MessageCheck {
  const rules = fieldRules(field);
  if (field.fieldKind === 'list') return listCheck(field, rules);
  if (field.fieldKind === 'map') return mapCheck(field, rules);
  const check = valueCheck(field, rules);
  const { localName, jsonName } = field;
  const { oneof } = field;
  if (oneof !== undefined) {
    const group = oneof.localName;
    return (message, pointer, out) => {
      const chosen = message[group] as { case: string | undefined; value?: unknown };
      if (chosen.case === localName) check(chosen.value, step(pointer, jsonName), out);
      else if (rules.required) report(out, step(pointer, jsonName), 'is required');
    };
  }
  const isSet = field.presence === FeatureSet_FieldPresence.IMPLICIT ? isNotZero : isPresent;
  return (message, pointer, out) => {
    // The prototype holds defaults of fields that are not set.
    const value = isSet === isPresent && !Object.hasOwn(message, localName) ? undefined : message[localName];
    if (isSet(value)) check(value, `${pointer}/${jsonName}`, out);
    else if (rules.required) report(out, step(pointer, jsonName), 'is required');
  };
}

const isPresent = (value: unknown): boolean => value !== undefined;

const isNotZero = (value: unknown): boolean =>
  value !== '' &&
  value !== 0 &&
  value !== 0n &&
  value !== false &&
  value !== undefined &&
  value !== '0' &&
  !isEmptyBytes(value);

const isEmptyBytes = (value: unknown): boolean => value instanceof Uint8Array && value.length === 0;

function listCheck(field: DescField & { fieldKind: 'list' }, rules: FieldRules): MessageCheck {
  const { localName, jsonName } = field;
  const max = rules.maxItems || DEFAULT_MAX_ITEMS;
  const check = valueCheck(field, rules);
  return (message, pointer, out) => {
    const items = message[localName] as unknown[];
    if (items.length === 0) {
      if (rules.required) report(out, step(pointer, jsonName), 'is required');
      return;
    }
    if (!hasGoodSize(items.length, rules.minItems, max, step(pointer, jsonName), out)) return;
    const base = `${pointer}/${jsonName}/`;
    for (let index = 0; index < items.length && out.length < MAX_VIOLATIONS; index++)
      check(items[index], base + index, out);
  };
}

function mapCheck(field: DescField & { fieldKind: 'map' }, rules: FieldRules): MessageCheck {
  const { localName, jsonName } = field;
  const max = rules.maxItems || DEFAULT_MAX_ITEMS;
  const check = valueCheck(field, rules);
  const keyCheck = compileStringCheck(
    { ...rules, minLen: 0, maxLen: 0, pattern: '', format: '', id: '', in: [] },
    field,
  );
  return (message, pointer, out) => {
    const entries = Object.entries(message[localName] as Fields);
    const base = step(pointer, jsonName);
    if (entries.length === 0) {
      if (rules.required) report(out, base, 'is required');
      return;
    }
    if (!hasGoodSize(entries.length, rules.minItems, max, base, out)) return;
    for (const [key, value] of entries) {
      const wanted = keyCheck(key);
      if (wanted !== undefined) report(out, base, `a key ${wanted}`);
      else check(value, step(base, key), out);
      if (out.length >= MAX_VIOLATIONS) return;
    }
  };
}

function hasGoodSize(size: number, min: number, max: number, pointer: string, out: Violation[]): boolean {
  if (size < min) report(out, pointer, `must have at least ${min} entries`);
  else if (size > max) report(out, pointer, `must have at most ${max} entries`);
  else return true;
  return false;
}

/** The check of a single value: of a field, or of an element of a list or map. */
function valueCheck(field: DescField, rules: FieldRules): ValueCheck {
  const plain = plainForm(field);
  // Free-form: only its shape is known, and that was checked when it was read.
  if (plain === 'object') return () => {};
  if (plain !== undefined) return scalarCheck(plain, field, rules);
  if (field.message !== undefined) return messageCheck(field.message) as ValueCheck;
  if (field.enum !== undefined) {
    const { value: values } = field.enum;
    return (value, pointer, out) => {
      if (!Object.hasOwn(values, value as number)) report(out, pointer, 'is not a known value');
    };
  }
  return scalarCheck(field.scalar, field, rules);
}

function scalarCheck(type: ScalarType, field: DescField, rules: FieldRules): ValueCheck {
  if (type === ScalarType.STRING) {
    const check = compileStringCheck(rules, field);
    return (value, pointer, out) => {
      const wanted = check(value as string);
      if (wanted !== undefined) report(out, pointer, wanted);
    };
  }
  if (type === ScalarType.BYTES) return bytesCheck(rules);
  if (type === ScalarType.BOOL) return () => {};
  const check = compileNumberCheck(rules);
  return (value, pointer, out) => {
    const wanted = check(value as number | bigint | string);
    if (wanted !== undefined) report(out, pointer, wanted);
  };
}

function bytesCheck(rules: FieldRules): ValueCheck {
  const max = rules.maxLen || DEFAULT_MAX_BYTES;
  return (value, pointer, out) => {
    const { length } = value as Uint8Array;
    if (length < rules.minLen) report(out, pointer, `must have at least ${rules.minLen} bytes`);
    if (length > max) report(out, pointer, `must have at most ${max} bytes`);
  };
}
