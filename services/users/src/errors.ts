import { defineErrors } from '@souk/kernel';

// No text names a person: what was wrong is said, with which value is not.
export const userErrors = defineErrors('USERS', {
  NOT_FOUND: { code: 'not_found', text: 'there is no user {id}' },
  EMAIL_TAKEN: { code: 'already_exists', text: 'this e-mail address has an account already' },
  USERNAME_TAKEN: { code: 'already_exists', text: 'this user name is taken' },
  USERNAME_INVALID: {
    code: 'invalid_argument',
    text: 'a user name holds no @ and neither begins nor ends with a space',
  },
  TIME_ZONE_UNKNOWN: { code: 'invalid_argument', text: 'the time zone is not an IANA name, such as Europe/London' },
  PASSWORD_COMMON: {
    code: 'invalid_argument',
    text: 'this password is among the first that are tried: choose another',
  },
  PASSWORD_PERSONAL: {
    code: 'invalid_argument',
    text: 'the password is the e-mail address or the user name: choose another',
  },
  BAD_CREDENTIALS: { code: 'unauthenticated', text: 'e-mail address or password is wrong' },
  TOO_MANY_ATTEMPTS: {
    code: 'resource_exhausted',
    text: 'too many failed attempts to sign in: wait and try again',
    retry: 'later',
  },
  REFRESH_INVALID: { code: 'unauthenticated', text: 'this session is over: sign in again' },
  REFRESH_REUSED: {
    code: 'unauthenticated',
    text: 'this refresh token was used before, so its session was ended: sign in again',
  },
  NOT_AN_ADMIN: {
    code: 'failed_precondition',
    text: 'the address of the administrator belongs to an account without that role: choose another address',
  },
  SIGNING_KEY_SEALED: {
    code: 'failed_precondition',
    text: 'a signing key is encrypted and cannot be opened: set keyEncryptionKey to the secret it was encrypted with',
  },
});
