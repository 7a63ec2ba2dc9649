import { defineErrors } from '@souk/kernel';

export const paymentErrors = defineErrors('PAYMENTS', {
  NOT_FOUND: { code: 'not_found', text: 'there is no such payment' },
  METHOD_NOT_FOUND: { code: 'failed_precondition', text: 'the user has no such payment method' },
  TOKEN_REFUSED: { code: 'invalid_argument', text: 'the provider does not know this token' },
  AMOUNT_INVALID: { code: 'invalid_argument', text: 'an amount is at least 1 minor unit' },
  CURRENCY_MISMATCH: { code: 'invalid_argument', text: 'the payment was made in {currency}' },
  CARD_DECLINED: { code: 'failed_precondition', text: 'the card was declined' },
  INSUFFICIENT_FUNDS: { code: 'failed_precondition', text: 'the card has insufficient funds' },
  EXPIRED_CARD: { code: 'failed_precondition', text: 'the card has expired' },
  ORDER_CANCELLED: { code: 'failed_precondition', text: 'the payment of this order was called off' },
  NOT_AUTHORIZED: { code: 'failed_precondition', text: 'a payment that is {status} cannot be captured' },
  ALREADY_CAPTURED: {
    code: 'failed_precondition',
    text: 'the money was taken already: it can be refunded, not voided',
  },
  CAPTURE_REFUSED: { code: 'failed_precondition', text: 'the provider refuses to capture: {why}' },
  REFUND_TOO_LARGE: { code: 'failed_precondition', text: 'at most {left} minor units can be given back' },
  REFUND_REFUSED: { code: 'failed_precondition', text: 'the provider refused the refund' },
  OUTCOME_UNKNOWN: {
    code: 'unavailable',
    text: 'the provider has not answered yet: ask again, nothing is done twice',
    retry: 'unknownOutcome',
  },
  PROVIDER_UNAVAILABLE: { code: 'unavailable', text: 'the payment provider cannot be reached', retry: 'later' },
  PROVIDER_TIMED_OUT: { code: 'unavailable', text: 'the payment provider did not answer', retry: 'unknownOutcome' },
  PROVIDER_REFUSED: { code: 'failed_precondition', text: 'the payment provider refused: {why}' },
  PROVIDER_MISCONFIGURED: {
    code: 'unavailable',
    text: 'the payment provider does not accept our requests: {why}',
    retry: 'unknownOutcome',
  },
  PROVIDER_UNKNOWN: { code: 'not_found', text: 'there is no payment provider of this name' },
  WEBHOOK_MALFORMED: { code: 'invalid_argument', text: 'this is no event of the provider' },
});
