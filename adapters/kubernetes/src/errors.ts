import { defineErrors } from '@souk/kernel';

export const kubernetesErrors = defineErrors('KUBERNETES', {
  INVALID_OPTION: { code: 'invalid_argument', text: '{option}: want {wanted}, got {found}' },
  NOT_IN_CLUSTER: {
    code: 'failed_precondition',
    text: '{path} cannot be read ({why}): is this a pod with a service account that is mounted?',
  },
  NO_ANSWER: { code: 'unavailable', text: 'the API server did not answer {what} within {ms} ms', retry: 'later' },
  UNREACHABLE: { code: 'unavailable', text: 'the API server cannot be reached: {why}', retry: 'later' },
  REFUSED: { code: 'unavailable', text: 'the API server answered {what} with {status}: {why}', retry: 'later' },
  EXPIRED: { code: 'out_of_range', text: 'the API server does not know version {version} any more', retry: 'later' },
  UNREADABLE: { code: 'data_loss', text: 'the API server answered {what} with something else: {why}', retry: 'later' },
});
