import { defineErrors } from '@souk/kernel';

export const natsErrors = defineErrors('NATS', {
  SERVER_TOO_OLD: {
    code: 'failed_precondition',
    text: 'the server at {server} is NATS {version}: {min} or later is needed',
  },
  STREAM_MISMATCH: {
    code: 'failed_precondition',
    text: 'stream {stream} has {field} = {found} and cannot be made {wanted}: use the options it was made with, or another prefix',
  },
  STREAM_GONE: {
    code: 'unavailable',
    text: 'stream {stream} was lost and made anew: publishing waits until consumers had time to come back',
    retry: 'later',
  },
  CONSUMER_GONE: { code: 'unavailable', text: '{consumer}: {why}', retry: 'later' },
  INVALID_OPTION: { code: 'invalid_argument', text: '{option}: want {wanted}, got {found}' },
  UNREADABLE: { code: 'data_loss', text: 'message {sequence} is no event: header {header} is missing' },
});
