import { defineErrors } from '@souk/kernel';

export const filterErrors = defineErrors('REGISTRY_FILTER', {
  INVALID: {
    code: 'invalid_argument',
    text: 'Failed to create boolean expression evaluator: {what} at character {at}',
  },
  TOO_LONG: {
    code: 'invalid_argument',
    text: 'Failed to create boolean expression evaluator: more than {max} characters',
  },
});
