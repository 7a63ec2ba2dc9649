import { defineErrors } from '@souk/kernel';

export const schemaErrors = defineErrors('SCHEMA', {
  BAD_CONTRACT: { code: 'internal', text: 'the contract of {subject} cannot be used: {why}' },
  UNKNOWN_CURRENCY: { code: 'invalid_argument', text: 'not a currency of ISO 4217' },
});
