import { defineErrors } from '@souk/kernel';

export const rpcErrors = defineErrors('RPC', {
  UNKNOWN_METHOD: { code: 'unimplemented', text: 'there is no such method here' },
  ONE_MESSAGE: { code: 'unimplemented', text: '{method} takes exactly one message, not {found}' },
  NO_STREAMS: { code: 'unimplemented', text: 'the way to {service} carries single calls only, no streams' },
  STREAM_IDLE: {
    code: 'deadline_exceeded',
    text: 'the stream was ended: its caller neither sent what was waited for nor took what was there for {ms} ms',
    retry: 'later',
  },
  TOO_MANY_CALLS: {
    code: 'resource_exhausted',
    text: '{limit} calls of {method} are at work, as many as there may be',
    retry: 'later',
  },
  DRAINING: { code: 'unavailable', text: 'this instance is stopping; open the stream again', retry: 'later' },
  NO_HANDLER: { code: 'internal', text: '{method} has no handler' },
  SERVED_TWICE: { code: 'internal', text: '{method} is served twice' },
  BAD_LIMITS: { code: 'invalid_argument', text: 'limits of {method}: {why}' },
  BAD_ROUTE: { code: 'internal', text: '{method}: the path {path} cannot be served: {why}' },
  INVALID_REQUEST: { code: 'invalid_argument', text: 'the request breaks rules of its contract' },
  BAD_FRAME: { code: 'invalid_argument', text: 'a channel carried what is no frame: {why}' },
  MALFORMED_BODY: { code: 'invalid_argument', text: 'the body cannot be read: {why}' },
  BAD_HEADER: { code: 'invalid_argument', text: 'the header {name} {why}' },
  BAD_CALL: { code: 'invalid_argument', text: '{method} was called with values that its contract does not allow' },
  BAD_RESPONSE: { code: 'internal', text: '{method} answered with values that its contract does not allow' },
  UNAUTHENTICATED: { code: 'unauthenticated', text: 'sign in to do this' },
  PERMISSION_DENIED: { code: 'permission_denied', text: 'you may not do this' },
  UNSUPPORTED_MEDIA_TYPE: { code: 'invalid_argument', text: 'the content type must be {wanted}', http: 415 },
  UNSUPPORTED_ENCODING: {
    code: 'unimplemented',
    text: 'the body must not be compressed other than with gzip or br',
    http: 415,
  },
  BODY_TOO_LARGE: { code: 'resource_exhausted', text: 'the body must not exceed {limit} bytes', http: 413 },
  NOT_FOUND: { code: 'not_found', text: 'there is nothing at this address' },
  METHOD_NOT_ALLOWED: {
    code: 'unimplemented',
    text: 'this address does not offer the verb; it offers {allowed}',
    http: 405,
  },
  BAD_PATH: { code: 'invalid_argument', text: 'the address is not well formed' },
  UNREACHABLE: { code: 'unavailable', text: '{service} cannot be reached', retry: 'unknownOutcome' },
  NOT_SENT: { code: 'unavailable', text: '{service} cannot be reached; it has not seen the call', retry: 'later' },
  ANSWER_TOO_LARGE: { code: 'resource_exhausted', text: '{service} gave an answer of more than {limit} bytes' },
  BAD_ANSWER: { code: 'unknown', text: '{service} gave an answer that cannot be read', retry: 'unknownOutcome' },
});

/** Known to clients by this reason alone, whatever package requires the key. */
export const idempotencyErrors = defineErrors('IDEMPOTENCY', {
  KEY_REQUIRED: {
    code: 'invalid_argument',
    text: 'send the header Idempotency-Key, the same for each attempt of one operation',
  },
  KEY_INVALID: { code: 'invalid_argument', text: 'Idempotency-Key must be 1 to 255 printable characters' },
});
