import { orderErrors } from '../errors.ts';
import type { Money, OrderLine } from './order.ts';

/** Most of one product in one order. */
const MAX_QUANTITY = 999;
/** Largest total, in minor units: far below what a 64-bit integer or a double holds exactly. */
const MAX_TOTAL = 1_000_000_000_000n;

export interface WantedItem {
  readonly productId: string;
  readonly quantity: number;
}

export interface PricedProduct {
  readonly productId: string;
  readonly name: string;
  readonly unitPrice: { readonly currency: string; readonly minorUnits: bigint };
}

/**
 * Adds up lines of the same product, keeping the order of first mention: two lines of three must not pass a stock of five.
 *
 * @throws ORDERS_QUANTITY_TOO_LARGE
 */
export function sumByProduct(items: readonly WantedItem[]): WantedItem[] {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of items) quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
  for (const quantity of quantities.values()) {
    if (quantity > MAX_QUANTITY) throw orderErrors.QUANTITY_TOO_LARGE({ max: MAX_QUANTITY });
  }
  return [...quantities].map(([productId, quantity]) => ({ productId, quantity }));
}

/**
 * Snapshots what is ordered at today's prices. The total is the sum of the stored lines, never computed another way.
 *
 * @param products One for each item, in any order.
 * @throws ORDERS_TOTAL_TOO_LARGE
 */
export function priceLines(
  items: readonly WantedItem[],
  products: readonly PricedProduct[],
  currency: string,
): { lines: OrderLine[]; total: Money } {
  const byId = new Map(products.map((product) => [product.productId, product]));
  let sum = 0n;
  const lines = items.map(({ productId, quantity }): OrderLine => {
    const product = byId.get(productId) as PricedProduct;
    const lineTotal = product.unitPrice.minorUnits * BigInt(quantity);
    sum += lineTotal;
    return {
      productId,
      name: product.name,
      quantity,
      unitPrice: { currency, minorUnits: product.unitPrice.minorUnits.toString() },
      lineTotal: { currency, minorUnits: lineTotal.toString() },
    };
  });
  if (sum > MAX_TOTAL) throw orderErrors.TOTAL_TOO_LARGE({ max: MAX_TOTAL.toString() });
  return { lines, total: { currency, minorUnits: sum.toString() } };
}
