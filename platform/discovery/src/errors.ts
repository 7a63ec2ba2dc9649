import { defineErrors } from '@souk/kernel';

export const discoveryErrors = defineErrors('DISCOVERY', {
  REGISTRATION_REFUSED: { code: 'invalid_argument', text: 'the registry refuses instance {id} of {service}: {why}' },
  NO_INSTANCE: { code: 'unavailable', text: 'no instance of {service} takes calls: {why}', retry: 'later' },
});
