import { defineErrors } from '@souk/kernel';

/** What can go wrong with sagas. */
export const sagaErrors = defineErrors('SAGA', {
  INVALID_DEFINITION: { code: 'invalid_argument', text: 'saga {saga}: {why}' },
  UNKNOWN_DEFINITION: {
    code: 'failed_precondition',
    text: 'saga {saga} version {version} is not known to this engine',
  },
  DUPLICATE_DEFINITION: { code: 'invalid_argument', text: 'saga {saga} version {version} is given twice' },
  DEFINITION_CHANGED: {
    code: 'failed_precondition',
    text: 'saga {saga} version {version} was started with other steps than it has now: give the changed saga a new version',
  },
  DEADLINE_EXCEEDED: { code: 'deadline_exceeded', text: 'the saga did not reach its point of no return in time' },
  CANCELLED: { code: 'canceled', text: 'the saga was cancelled' },
  PARENT_TURNED: { code: 'canceled', text: 'the saga it belongs to turned back' },
  COMPENSATED_BY_HAND: { code: 'aborted', text: 'an operator had the saga taken back' },
  SIGNAL_TIMED_OUT: { code: 'deadline_exceeded', text: 'the signal {signal} did not come in time' },
  CHILD_TERMINATED: { code: 'aborted', text: 'the child saga {child} was given up' },
  CHILD_COMPENSATED: { code: 'aborted', text: 'the child saga {child} was taken back' },
  SLEEP_TIME: { code: 'internal', text: 'the time that step {step} is to sleep until is no time' },
  UNDO_FAILED: { code: 'aborted', text: 'could not be undone: {steps}' },
  OUTCOME_UNKNOWN: {
    code: 'unavailable',
    text: 'it cannot be told yet whether the step happened',
    retry: 'unknownOutcome',
  },
  MANUAL_REVIEW: { code: 'failed_precondition', text: 'the step asks for a person: {reason}' },
  ACTION_REFUSED: { code: 'failed_precondition', text: '{action} is refused: {why}' },
  NOT_FOUND: { code: 'not_found', text: 'there is no saga {id} in this service' },
  CHANGED: {
    code: 'aborted',
    text: 'saga {id} has gone on: its journal has {found} records, not {expected}; look at it again',
  },
  SIGNAL_NAME: { code: 'invalid_argument', text: "the signal '{name}' is not in kebab-case" },
  DEFINITION_GONE: {
    code: 'failed_precondition',
    text: 'no running process knows saga {saga} version {version}: deploy it again and retry, or give the saga up',
  },
  TOO_MANY_CLAIMS: { code: 'internal', text: 'claimed {claims} times without any progress' },
  WORKER_LOST: { code: 'unavailable', text: 'the worker was lost during the attempt', retry: 'unknownOutcome' },
  RESULT_NOT_JSON: { code: 'internal', text: 'what step {step} returned cannot be written as JSON' },
  RECORD_REFUSED: { code: 'internal', text: 'the database refused what was to be journaled' },
  NOT_BOUND: { code: 'internal', text: 'the engine was started before bind() gave it the dependencies of its steps' },
  STOPPED: { code: 'unavailable', text: 'the saga engine is not running', retry: 'later' },
  OWNERSHIP_LOST: { code: 'aborted', text: 'another worker owns the saga now' },
  WRITER_FULL: {
    code: 'resource_exhausted',
    text: 'the writer of the saga journal has too much to do',
    retry: 'later',
  },
});
