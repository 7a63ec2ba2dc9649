/**
 * The closed set of error codes: the sixteen of gRPC, in the spelling of the Connect protocol. A code says how to treat an
 * error; the precise reason is the key in its catalogue.
 */
export const CODES = [
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
] as const;

export type Code = (typeof CODES)[number];

export const isCode = (value: unknown): value is Code => CODES.includes(value as Code);
