import { defineErrors } from '@souk/kernel';

export const tokenErrors = defineErrors('TOKEN', {
  EXPIRED: { code: 'unauthenticated', text: 'the token has expired' },
  INVALID: { code: 'unauthenticated', text: 'the token is not valid' },
  KEYS_UNAVAILABLE: { code: 'unavailable', text: 'tokens cannot be checked now', retry: 'later' },
  NO_KEY: { code: 'internal', text: 'there is no key to sign tokens with' },
});

export const passwordErrors = defineErrors('PASSWORD', {
  TOO_LONG: { code: 'invalid_argument', text: 'a password has at most {max} characters' },
  HASH_UNREADABLE: { code: 'internal', text: 'a stored password hash cannot be read' },
  BUSY: { code: 'resource_exhausted', text: 'too many sign-ins at once', retry: 'later' },
});

export const signatureErrors = defineErrors('SIGNATURE', {
  INVALID: { code: 'unauthenticated', text: 'the signature is not valid' },
  EXPIRED: { code: 'unauthenticated', text: 'the signature is too old or from the future' },
});

export const pageTokenErrors = defineErrors('PAGE_TOKEN', {
  INVALID: { code: 'invalid_argument', text: 'the page token is not one of this list' },
});

export const callerTokenErrors = defineErrors('CALLER_TOKEN', {
  INVALID: { code: 'unauthenticated', text: 'the caller token is not valid: processes of one system share one key' },
  EXPIRED: { code: 'unauthenticated', text: 'the caller token has expired: compare the clocks of the machines' },
  KEY_TOO_SHORT: { code: 'invalid_argument', text: 'the key of caller tokens needs at least {min} characters' },
});
