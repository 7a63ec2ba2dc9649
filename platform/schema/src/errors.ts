import { defineErrors } from '@souk/kernel';

export const schemaErrors = defineErrors('SCHEMA', {
  BAD_CONTRACT: { code: 'internal', text: 'the contract of {subject} cannot be used: {why}' },
  BAD_VALUE: { code: 'internal', text: '{subject} holds a value that its contract does not allow' },
  UNKNOWN_CURRENCY: { code: 'invalid_argument', text: 'not a currency of ISO 4217' },
});
