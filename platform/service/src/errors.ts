import { defineErrors } from '@souk/kernel';

export const serviceErrors = defineErrors('SERVICE', {
  ETAG_MALFORMED: { code: 'invalid_argument', text: 'an ETag is a version number, quoted or not: "3"' },
  VERSION_MISMATCH: {
    code: 'failed_precondition',
    text: 'it has changed since you read it: you saw version {seen}, it is now {current}',
    http: 412,
  },
  PAGE_TOKEN_INVALID: { code: 'invalid_argument', text: 'this page token does not belong to this list' },
  SIGN_IN_REQUIRED: { code: 'unauthenticated', text: 'sign in to do this' },
});
