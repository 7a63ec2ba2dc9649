import { defineErrors } from '@souk/kernel';

export const etcdErrors = defineErrors('ETCD', {
  INVALID_OPTION: { code: 'invalid_argument', text: '{option}: want {wanted}, got {found}' },
  NO_ANSWER: { code: 'unavailable', text: 'etcd at {host} did not answer {what} within {ms} ms', retry: 'later' },
  STREAM_ENDED: { code: 'unavailable', text: 'etcd at {host} ended the watch of {service}: {why}', retry: 'later' },
});
