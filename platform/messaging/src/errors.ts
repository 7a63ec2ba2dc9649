import { defineErrors } from '@souk/kernel';

export const messagingErrors = defineErrors('MESSAGING', {
  UNDECLARED_EVENT: {
    code: 'internal',
    text: '{service} published {type} without declaring it: add it to `publishes`',
  },
  INVALID_EVENT: { code: 'internal', text: '{type} breaks the rules of its contract: {why}' },
  EVENT_TOO_LARGE: {
    code: 'internal',
    text: '{type} has {bytes} bytes, {max} is the most: publish a reference instead',
  },
  UNKNOWN_EVENT: { code: 'unimplemented', text: '{service} has no handler for {type}' },
  UNDECODABLE_EVENT: { code: 'data_loss', text: 'the bytes of {type} cannot be read as {schema}' },
  DUPLICATE_SUBSCRIPTION: { code: 'internal', text: '{service} hears {type} twice: one handler per type' },
  BUS_FULL: { code: 'resource_exhausted', text: '{subscription} is full', retry: 'later' },
  BUS_UNAVAILABLE: { code: 'unavailable', text: 'the {bus} bus has no connection: {why}', retry: 'later' },
  NO_RESPONDER: { code: 'unavailable', text: 'nobody answers at {address}', retry: 'later' },
  TOO_MANY_REQUESTS: {
    code: 'resource_exhausted',
    text: '{max} requests over the bus wait for an answer already',
    retry: 'later',
  },
  NOT_SUPPORTED: { code: 'unimplemented', text: 'the {bus} bus has no {what}' },
  BAD_FRAME: { code: 'data_loss', text: 'a request or answer of {bytes} bytes cannot be read' },
  SUBSCRIPTION_CLOSED: { code: 'unavailable', text: '{subscription} takes nothing more', retry: 'later' },
  KEY_WAITS: {
    code: 'aborted',
    text: 'an earlier event of the same key as this {type} waits for a retry',
    retry: 'later',
  },
  ATTEMPTS_LOST: { code: 'internal', text: '{type} was tried {attempts} times and none of them came to an end' },
  NO_DEAD_LETTER: { code: 'not_found', text: '{service} has no dead letter {id}, or somebody has dealt with it' },
  CONFIRMATION_NEEDED: {
    code: 'failed_precondition',
    text: 'to {action} all that match, ask for a preview first and give its `confirm`',
  },
  PREVIEW_STALE: {
    code: 'aborted',
    text: 'the letters to {action} have changed since the preview: {before} then, {now} now; ask for another one',
  },
  STOPPING: { code: 'unavailable', text: '{service} is stopping: the event is delivered again', retry: 'later' },
});
