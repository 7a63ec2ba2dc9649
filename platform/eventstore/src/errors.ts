import { defineErrors } from '@souk/kernel';

export const eventStoreErrors = defineErrors('EVENTSTORE', {
  WRONG_VERSION: {
    code: 'aborted',
    text: '{stream} is not at the expected version: expected {expected}, found {actual}',
    retry: 'later',
  },
  EVENT_EXISTS: {
    code: 'already_exists',
    text: 'an event with an id of these was appended to {stream} or another stream before',
  },
  INVALID_APPEND: { code: 'internal', text: 'cannot append to {stream}: {why}' },
});
