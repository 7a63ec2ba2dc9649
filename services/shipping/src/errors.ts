import { defineErrors } from '@souk/kernel';

export const shippingErrors = defineErrors('SHIPPING', {
  NOT_FOUND: { code: 'not_found', text: 'there is no shipment of order {orderId}' },
  ILLEGAL_TRANSITION: {
    code: 'failed_precondition',
    text: 'a shipment that is {from} cannot become {to}; allowed from here: {allowed}',
  },
});
