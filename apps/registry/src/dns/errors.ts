import { defineErrors } from '@souk/kernel';

export const dnsErrors = defineErrors('REGISTRY_DNS', {
  MALFORMED: { code: 'invalid_argument', text: 'not a DNS message: {what} at byte {offset}' },
  UNWRITABLE: { code: 'invalid_argument', text: 'cannot be written as a DNS message: {what}' },
  NO_PORT: {
    code: 'unavailable',
    text: 'the DNS server cannot listen on {host}:{port}: a port is needed that is free for UDP and TCP. Another program may have it',
  },
});
