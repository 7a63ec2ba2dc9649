import { defineErrors } from '@souk/kernel';

export const rabbitmqErrors = defineErrors('RABBITMQ', {
  BLOCKED: { code: 'resource_exhausted', text: 'the broker takes no events now: {why}', retry: 'later' },
  REJECTED: {
    code: 'resource_exhausted',
    text: 'a queue for {type} is full, or its broker could not write',
    retry: 'later',
  },
  NOT_CONFIRMED: {
    code: 'unavailable',
    text: 'the broker did not confirm {type} within {ms} ms: it may or may not have it',
    retry: 'later',
  },
  QUEUES_GONE: {
    code: 'unavailable',
    text: 'no queue takes {type}, which was heard before: its consumers must come back first',
    retry: 'later',
  },
  SET_UP_TIMED_OUT: {
    code: 'unavailable',
    text: 'queues were not declared and consumed within {ms} ms: look for a queue without a leader, `rabbitmqctl list_queues name leader`',
    retry: 'later',
  },
  CONSUMER_GONE: { code: 'unavailable', text: '{queue}: {why}', retry: 'later' },
  TOPOLOGY_MISMATCH: {
    code: 'failed_precondition',
    text: '{name} exists with other properties than wanted ({why}): use the options it was made with, or another prefix',
  },
  INVALID_OPTION: { code: 'invalid_argument', text: '{option}: want {wanted}, got {found}' },
  UNREADABLE: { code: 'data_loss', text: 'a message in {queue} is no event: {header} is missing' },
});
