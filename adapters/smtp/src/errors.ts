import { defineErrors } from '@souk/kernel';

export const smtpErrors = defineErrors('SMTP', {
  REFUSED: { code: 'failed_precondition', text: 'the mail server refused the message with status {status}' },
  UNAVAILABLE: { code: 'unavailable', text: 'the mail server could not be reached or is busy', retry: 'later' },
});
