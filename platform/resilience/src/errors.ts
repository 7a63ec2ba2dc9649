import { defineErrors } from '@souk/kernel';

export const resilienceErrors = defineErrors('RESILIENCE', {
  BREAKER_OPEN: { code: 'unavailable', text: '{policy} is not called: its breaker is {state}', retry: 'later' },
  BULKHEAD_FULL: { code: 'resource_exhausted', text: '{policy} has no room: {why}', retry: 'later' },
  RATE_LIMITED: { code: 'resource_exhausted', text: '{policy} is called too often', retry: 'later' },
  SHED: { code: 'unavailable', text: '{policy} is overloaded and refused the call: {why}', retry: 'later' },
  THROTTLED: { code: 'unavailable', text: '{policy} is not called: it refuses most calls now', retry: 'later' },
  TIMED_OUT: {
    code: 'deadline_exceeded',
    text: '{policy} took longer than {ms} ms ({scope})',
    retry: 'unknownOutcome',
  },
  NO_LAST_GOOD: { code: 'unavailable', text: '{policy} has no good answer to fall back to' },
  BAD_OPTION: { code: 'invalid_argument', text: '{option}: want {want}, got {got}' },
  NO_BREAKER: { code: 'failed_precondition', text: '{name} has no breaker: give it one with souk resilience set' },
  COMMAND_CONFLICT: { code: 'aborted', text: 'somebody else has given {key} another command: look again' },
  UNKNOWN_POLICY: { code: 'not_found', text: 'there is no policy {name}; there are: {known}' },
});
