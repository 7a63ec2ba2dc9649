import { defineErrors } from '@souk/kernel';

export const eventErrors = defineErrors('REGISTRY_EVENT', {
  MISSING_NAME: { code: 'invalid_argument', text: 'Missing name', http: 400 },
});
