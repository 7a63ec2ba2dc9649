import { defineErrors } from '@souk/kernel';

export const inventoryErrors = defineErrors('INVENTORY', {
  OUT_OF_STOCK: { code: 'failed_precondition', text: 'there is not enough stock of {products}' },
  RESERVATION_RELEASED: { code: 'failed_precondition', text: 'the stock of this order was already given back' },
  RESERVATION_EXPIRED: {
    code: 'failed_precondition',
    text: 'the stock of this order was held too long and given back',
  },
  RESERVATION_UNKNOWN: { code: 'not_found', text: 'nothing is reserved for order {orderId}' },
  STOCK_GONE: {
    code: 'unavailable',
    text: 'the reservation of order {orderId} expired and its stock was sold meanwhile; it can be committed once there is stock again',
    retry: 'later',
  },
  PARCEL_LEFT: {
    code: 'unavailable',
    text: 'the parcel of the cancelled order {orderId} has left, and its goods, put back on the shelf, are promised to others: count the stock',
    retry: 'later',
  },
  BELOW_RESERVED: {
    code: 'failed_precondition',
    text: '{reserved} units are reserved: stock cannot be set below that',
  },
});
