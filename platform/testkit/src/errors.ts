import { defineErrors } from '@souk/kernel';

export const testkitErrors = defineErrors('TESTKIT', {
  UNEXPECTED_CALL: { code: 'internal', text: 'the test gave no answer for {method}' },
  NOT_HEARD: { code: 'internal', text: '{service} does not hear {type}' },
  NO_JOB: { code: 'internal', text: '{service} has no job {job}' },
});
