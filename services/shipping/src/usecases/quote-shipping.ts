import type { QuoteShippingRequest } from '@souk/contracts/shipping/v1/shipping';
import type { Context } from '@souk/kernel';
import { currencyExponent } from '@souk/schema';
import type { ShippingDeps } from '../deps.ts';
import { quotes } from '../domain/quote.ts';

const DEFAULT_CURRENCY = 'EUR';

/** What it would cost to send these items there. */
export const quoteShipping = (deps: ShippingDeps) => async (_ctx: Context, request: QuoteShippingRequest) => {
  const currency = request.currency || DEFAULT_CURRENCY;
  const items = request.items.reduce((sum, { quantity }) => sum + quantity, 0);
  const abroad = request.address?.country !== deps.settings.home;
  return {
    quotes: quotes(items, abroad, currencyExponent(currency)).map(({ minorUnits, ...quote }) => ({
      ...quote,
      cost: { currency, minorUnits },
    })),
  };
};
