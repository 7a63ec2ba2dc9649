import { defineErrors } from '@souk/kernel';

export const notificationErrors = defineErrors('NOTIFICATIONS', {
  TEMPLATE_UNKNOWN: { code: 'invalid_argument', text: 'there is no template {template}; there are: {templates}' },
  NOTHING_TO_SAY: { code: 'invalid_argument', text: 'name a template, or give subject and body' },
  NOT_REACHABLE: { code: 'failed_precondition', text: 'the user cannot be reached by {channel}' },
  USER_UNKNOWN: { code: 'not_found', text: 'there is no user {userId} to notify' },
});
