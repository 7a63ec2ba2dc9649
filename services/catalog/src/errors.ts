import { defineErrors } from '@souk/kernel';

export const catalogErrors = defineErrors('CATALOG', {
  PRODUCT_NOT_FOUND: { code: 'not_found', text: 'there is no product {id}' },
  VERSION_MISMATCH: {
    code: 'failed_precondition',
    text: 'product {id} has changed since you read it: it is now version {current}',
    http: 412,
  },
  ETAG_MALFORMED: { code: 'invalid_argument', text: 'an ETag is a version number, quoted or not: "3"' },
  SKU_TAKEN: { code: 'already_exists', text: 'another product has this number of the shop' },
  TEXT_REFUSED: {
    code: 'invalid_argument',
    text: '{field} holds control characters or marks that turn the direction of text',
  },
  NAME_MISSING: { code: 'invalid_argument', text: 'a product needs a name' },
  PRICE_MISSING: { code: 'invalid_argument', text: 'a product needs at least one price' },
  PRICE_REFUSED: {
    code: 'invalid_argument',
    text: 'a price in {currency} must be between 0 and 1,000,000,000,000 minor units',
  },
  PRICE_REPEATED: { code: 'invalid_argument', text: 'there are two prices in {currency}' },
  PRICE_RANGE_REFUSED: { code: 'invalid_argument', text: 'the lowest price is above the highest' },
  ID_REFUSED: { code: 'invalid_argument', text: 'the id of an imported product must be prd_ and a UUIDv7' },
});
