import { defineErrors } from '@souk/kernel';

export const dnsErrors = defineErrors('REGISTRY_DNS', {
  MALFORMED: { code: 'invalid_argument', text: 'not a DNS message: {what} at byte {offset}' },
  UNWRITABLE: { code: 'invalid_argument', text: 'cannot be written as a DNS message: {what}' },
  NO_PORT: { code: 'unavailable', text: 'the DNS server found no port on {host} that is free for both UDP and TCP' },
});
