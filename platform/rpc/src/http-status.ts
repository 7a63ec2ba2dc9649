import type { Code, SoukError } from '@souk/kernel';

const REST: Readonly<Record<Code, number>> = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** Status of an error over REST; an error may know better than its code. */
export const restStatus = (error: SoukError): number => error.httpStatus ?? REST[error.code];

/** Status of an error in the Connect protocol, which fixes it by the code alone. */
export const connectStatus = (code: Code): number => (code === 'failed_precondition' ? 400 : REST[code]);

const CODE_OF_STATUS: ReadonlyMap<number, Code> = new Map([
  [400, 'internal'],
  [401, 'unauthenticated'],
  [403, 'permission_denied'],
  [404, 'unimplemented'],
  [408, 'deadline_exceeded'],
  [429, 'unavailable'],
  [502, 'unavailable'],
  [503, 'unavailable'],
  [504, 'unavailable'],
]);

/** What a status means when something between client and server answered instead of the server. */
export const codeOfStatus = (status: number): Code => CODE_OF_STATUS.get(status) ?? 'unknown';
