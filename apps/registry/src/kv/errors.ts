import { defineErrors } from '@souk/kernel';

/** Of keys, sessions and transactions. Texts that Consul's clients know keep their words. */
export const kvErrors = defineErrors('REGISTRY_KV', {
  MISSING_KEY: { code: 'invalid_argument', text: 'Missing key name', http: 400 },
  BAD_KEY: { code: 'invalid_argument', text: 'Invalid key name: {what}', http: 400 },
  CONFLICTING_FLAGS: { code: 'invalid_argument', text: 'Conflicting flags: {flags}', http: 400 },
  BAD_NUMBER: {
    code: 'invalid_argument',
    text: 'Invalid value for {name}: want a whole number from {least} to 18446744073709551615',
    http: 400,
  },
  MISSING_SESSION: { code: 'invalid_argument', text: 'Missing session', http: 400 },
  INVALID_SESSION: { code: 'failed_precondition', text: 'invalid session "{id}"', http: 500 },
  SESSION_NOT_FOUND: { code: 'not_found', text: "Session id '{id}' not found", http: 404 },
  MISSING_NODE: { code: 'invalid_argument', text: 'Missing node name', http: 400 },
  NODE_NOT_REGISTERED: { code: 'failed_precondition', text: 'Missing node registration', http: 500 },
  CHECK_NOT_REGISTERED: { code: 'failed_precondition', text: "Missing check '{check}' registration", http: 500 },
  CHECK_IS_CRITICAL: { code: 'failed_precondition', text: "Check '{check}' is in critical state", http: 500 },
  BAD_BEHAVIOR: { code: 'invalid_argument', text: "Invalid Behavior setting '{behavior}'", http: 400 },
  BAD_TTL: {
    code: 'invalid_argument',
    text: "Invalid Session TTL '{ttl}', must be between [10s=24h0m0s]",
    http: 400,
  },
  BAD_TXN: { code: 'invalid_argument', text: 'Failed to parse body: {what}', http: 400 },
  TOO_MANY_OPERATIONS: {
    code: 'invalid_argument',
    text: 'Transaction contains too many operations ({count} > {max})',
    http: 413,
  },
  VALUE_TOO_LARGE: {
    code: 'invalid_argument',
    text: 'Value for key "{key}" is too large ({bytes} > {max} bytes)',
    http: 413,
  },
});
