import { defineErrors } from '@souk/kernel';

export const orderErrors = defineErrors('ORDERS', {
  NOT_FOUND: { code: 'not_found', text: 'there is no order {id}' },
  ILLEGAL_TRANSITION: {
    code: 'failed_precondition',
    text: 'an order that is {from} cannot become {to}; allowed from here: {allowed}',
  },
  PRODUCT_UNKNOWN: { code: 'invalid_argument', text: 'the order names products that do not exist' },
  PRODUCT_UNAVAILABLE: { code: 'failed_precondition', text: 'the order names products that are no longer sold' },
  QUANTITY_TOO_LARGE: { code: 'invalid_argument', text: 'at most {max} of one product can be ordered at once' },
  TOTAL_TOO_LARGE: { code: 'invalid_argument', text: 'the total of an order is at most {max} minor units' },
  TRANSITION_NOT_BY_HAND: {
    code: 'failed_precondition',
    text: 'an order becomes {to} by the saga alone, not by hand',
  },
  GONE_BEFORE_CONFIRMATION: {
    code: 'failed_precondition',
    text: 'the order was {status} before it could be confirmed',
  },
  RESERVATION_EXPIRED: { code: 'failed_precondition', text: 'the stock of the order is no longer held' },
  NEVER_PLACED: { code: 'internal', text: '{stream} has {type} at version {version}, and was not placed before' },
  USER_INACTIVE: { code: 'failed_precondition', text: 'the user who ordered is not active' },
});
