import type { DescField, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { fieldRules } from './field-rules.ts';
import { plainForm } from './plain-form.ts';

export const REDACTED = '[redacted]';

/**
 * A copy of a message that may be logged: fields marked `sensitive` say only that they are set, bytes only how many there are.
 * Whole numbers of 64 bits become strings.
 */
export function redact<TDesc extends DescMessage>(desc: TDesc, message: MessageShape<TDesc>): Record<string, unknown> {
  const source = message as unknown as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  for (const field of desc.fields) {
    const value = setValue(field, source);
    if (value === undefined || value === '') continue;
    copy[field.jsonName] = fieldRules(field).sensitive ? REDACTED : shown(field, value);
  }
  return copy;
}

function setValue(field: DescField, source: Record<string, unknown>): unknown {
  if (field.oneof === undefined) return Object.hasOwn(source, field.localName) ? source[field.localName] : undefined;
  const chosen = source[field.oneof.localName] as { case: string | undefined; value?: unknown };
  return chosen.case === field.localName ? chosen.value : undefined;
}

function shown(field: DescField, value: unknown): unknown {
  if (field.fieldKind === 'list') return (value as unknown[]).map((item) => single(field, item));
  if (field.fieldKind !== 'map') return single(field, value);
  return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, single(field, item)]));
}

function single(field: DescField, value: unknown): unknown {
  const plain = plainForm(field);
  // Nothing is known of what is free-form, so nothing of it is shown.
  if (plain === 'object') return REDACTED;
  if (plain === undefined && field.message !== undefined)
    return redact(field.message, value as MessageShape<DescMessage>);
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? value;
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  return typeof value === 'bigint' ? String(value) : value;
}
