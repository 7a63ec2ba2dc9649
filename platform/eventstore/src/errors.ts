import { defineErrors } from '@souk/kernel';

export const eventStoreErrors = defineErrors('EVENTSTORE', {
  WRONG_VERSION: {
    code: 'aborted',
    text: '{stream} is not at the expected version: expected {expected}, found {actual}',
    retry: 'later',
  },
  EVENT_EXISTS: {
    code: 'already_exists',
    text: 'some event ids of this append to {stream} were appended before, but not as this very append: take new ids',
  },
  INVALID_APPEND: { code: 'internal', text: 'cannot append to {stream}: {why}' },
  STREAM_NOT_LOCKED: {
    code: 'internal',
    text: 'the transaction wrote before it appended to {stream}: call lockStreams, or read it for update, at its beginning',
  },
  POSITION_INVALID: { code: 'invalid_argument', text: 'the position is not one that this store gave out' },
  CURSOR_AHEAD: {
    code: 'failed_precondition',
    text: 'a reader stands at {cursor}, behind the last event of {store} at {head}: events it has seen are gone, as after the restore of an old backup. Rebuild what it fills, or set it back on purpose',
  },
});
