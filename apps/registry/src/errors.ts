import { defineErrors } from '@souk/kernel';

/** Texts that Consul's clients know keep their words: some look for them. */
export const registryErrors = defineErrors('REGISTRY', {
  STOPPING: { code: 'unavailable', text: 'the registry is stopping', retry: 'later', http: 500 },
  NOT_WRITABLE: {
    code: 'unavailable',
    text: 'the change cannot be written to the data folder: see the log of the registry, and free or repair its disk',
    retry: 'unknownOutcome',
    http: 500,
  },
  FOLDER_IN_USE: {
    code: 'failed_precondition',
    text: 'another registry uses the data folder {folder}: stop it, or choose another folder with -data-dir',
  },
  FOLDER_UNUSABLE: { code: 'failed_precondition', text: 'the data folder {folder} cannot be used: {why}' },
  CANNOT_LISTEN: { code: 'unavailable', text: 'cannot listen on {address}: {why}' },
  BAD_FLAG: { code: 'invalid_argument', text: '{what}' },

  MALFORMED: { code: 'invalid_argument', text: '{what}', http: 400 },
  DECODE_FAILED: { code: 'invalid_argument', text: 'Request decode failed: {what}', http: 400 },
  TOO_LARGE: {
    code: 'invalid_argument',
    text: 'Request body({bytes} bytes) too large, max size: {max} bytes. See the README of the registry.',
    http: 413,
  },
  NO_DATACENTER: { code: 'unavailable', text: 'No path to datacenter', http: 500 },
  INVALID_CHECK: { code: 'invalid_argument', text: 'Invalid check: {what}', http: 400 },
  UNKNOWN_SERVICE_ID: {
    code: 'not_found',
    text: 'Unknown service ID "{id}". Ensure that the service ID is passed, not the service name.',
    http: 404,
  },
  UNKNOWN_SERVICE: { code: 'not_found', text: 'unknown service ID: {id}', http: 404 },
  UNKNOWN_CHECK_ID: {
    code: 'not_found',
    text: 'Unknown check ID "{id}". Ensure that the check ID is passed, not the check name.',
    http: 404,
  },
  NO_SUCH_SERVICE: { code: 'not_found', text: 'ServiceID "{id}" does not exist', http: 404 },
  NO_TTL: { code: 'failed_precondition', text: 'CheckID "{id}" does not have associated TTL', http: 500 },
  UNKNOWN_INSTANCE: { code: 'not_found', text: 'unknown instance {id}: register it', http: 404 },
  STALE_INCARNATION: {
    code: 'aborted',
    text: 'stale incarnation: {id} was registered by a later run of its process',
    http: 409,
  },
  DRAINING_IS_FINAL: {
    code: 'failed_precondition',
    text: '{id} is draining, and there is no way back for this incarnation: register a new one',
    http: 409,
  },
  COMPACTED: {
    code: 'out_of_range',
    text: 'compacted: changes since {from} are not kept any more, list again',
    http: 410,
  },
  NO_SUCH_NODE: { code: 'not_found', text: 'no such node: {name}', http: 404 },
  JOIN_FAILED: { code: 'unavailable', text: 'cannot join {address}: {why}', http: 500 },
  FORBIDDEN_TARGET: {
    code: 'permission_denied',
    text: '{address} is outside of the networks that may be probed: add its network to the setting probeNetworks',
    http: 403,
  },
});
