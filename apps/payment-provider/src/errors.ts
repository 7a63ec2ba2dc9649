import { defineErrors } from '@souk/kernel';

/** What the provider refuses with. The API tells the reason without its prefix, in lower case: `unknown_token`. */
export const providerErrors = defineErrors('PROVIDER', {
  UNAUTHORIZED: { code: 'unauthenticated', text: 'the API key is missing or wrong', http: 401 },
  NOT_FOUND: { code: 'not_found', text: 'there is no such thing' },
  MALFORMED: { code: 'invalid_argument', text: '{what}' },
  BODY_TOO_LARGE: { code: 'invalid_argument', text: 'a body has at most {max} bytes', http: 413 },
  KEY_REQUIRED: { code: 'invalid_argument', text: 'the header Idempotency-Key is required, 1 to 255 characters' },
  KEY_REUSED: { code: 'invalid_argument', text: 'this idempotency key was used for another request', http: 422 },
  UNKNOWN_TOKEN: { code: 'invalid_argument', text: 'this token or payment method is not known', http: 422 },
  INVALID_STATE: { code: 'failed_precondition', text: 'a charge that is {status} cannot be {action}', http: 409 },
  AMOUNT_TOO_LARGE: { code: 'failed_precondition', text: 'at most {most} is left', http: 409 },
  TRY_AGAIN: { code: 'unavailable', text: 'the bank does not answer: try again', retry: 'later', http: 503 },
});
