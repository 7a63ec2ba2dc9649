import { defineErrors } from '@souk/kernel';

export const discoveryErrors = defineErrors('DISCOVERY', {
  REGISTRATION_REFUSED: { code: 'invalid_argument', text: 'the registry refuses instance {id} of {service}: {why}' },
  NO_INSTANCE: { code: 'unavailable', text: 'no instance of {service} takes calls: {why}', retry: 'later' },
  NOT_KNOWN_YET: {
    code: 'unavailable',
    text: 'nothing is known of {service} yet: the {registry} registry has not answered in {waitedMs} ms ({why})',
    retry: 'later',
  },
  OUT_OF_REACH: { code: 'unavailable', text: 'the {registry} registry is out of reach: {why}', retry: 'later' },
  CLOSED: { code: 'unavailable', text: 'the {registry} registry is closed', retry: 'later' },
  UNREADABLE_FILE: { code: 'failed_precondition', text: '{path}: {why}' },
  INVALID_OPTION: { code: 'invalid_argument', text: '{option}: want {wanted}, got {found}' },
});
