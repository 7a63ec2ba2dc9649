import { defineErrors } from '@souk/kernel';

export const consulErrors = defineErrors('CONSUL', {
  UNREACHABLE: { code: 'unavailable', text: 'the registry at {server} cannot be reached: {why}', retry: 'later' },
  REFUSED: {
    code: 'unavailable',
    text: 'the registry at {server} answered {what} with {status}: {why}',
    retry: 'later',
  },
  UNREADABLE: {
    code: 'data_loss',
    text: 'the registry at {server} answered {what} with something else than Consul does: {why}',
    retry: 'later',
  },
  INVALID_OPTION: { code: 'invalid_argument', text: '{option}: want {wanted}, got {found}' },
});
