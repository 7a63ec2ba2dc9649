import type { DescMessage } from '@bufbuild/protobuf';
import { readOption } from './contract-options.ts';
import { schemaErrors } from './errors.ts';

/** What a contract says about an event. */
export interface EventRules {
  /** CloudEvents type, with its major version. */
  readonly type: string;
  /** Local name of the field whose value orders events. */
  readonly keyField: string;
}

/** A cache of a pure function of immutable descriptors. */
const rulesOf = new WeakMap<DescMessage, EventRules>();

/** @throws SCHEMA_BAD_CONTRACT when the message is not marked as an event, or its key is not one of its fields */
export function eventRules(message: DescMessage): EventRules {
  const known = rulesOf.get(message);
  if (known !== undefined) return known;
  const option = readOption<EventRules>(message, 'souk.options.v1.event');
  if (option === undefined || option.type === '') {
    throw schemaErrors.BAD_CONTRACT({ subject: message.typeName, why: 'it is not marked as an event' });
  }
  const field = message.fields.find((candidate) => candidate.name === option.keyField);
  if (field === undefined) {
    throw schemaErrors.BAD_CONTRACT({
      subject: message.typeName,
      why: `no field ${option.keyField} to order events by`,
    });
  }
  const rules: EventRules = Object.freeze({ type: option.type, keyField: field.localName });
  rulesOf.set(message, rules);
  return rules;
}
