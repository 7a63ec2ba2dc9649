import { defineErrors } from '@souk/kernel';

export const grpcErrors = defineErrors('GRPC', {
  HTTP2_NEEDED: {
    code: 'unimplemented',
    text: '{what} needs HTTP/2: over HTTP/1.1, a request must end before its answer begins',
    http: 505,
  },
  MALFORMED_FRAME: { code: 'invalid_argument', text: 'the stream cannot be read: {why}' },
  BAD_ANSWER: {
    code: 'unknown',
    text: '{service} gave an answer that is not gRPC: {why}',
    retry: 'unknownOutcome',
  },
  UNKNOWN_SERVICE: { code: 'not_found', text: 'no service of that name is served here' },
});
