/** How many of what. */
export interface StockLine {
  readonly productId: string;
  readonly quantity: number;
}

/**
 * Lines as two columns, one entry per product, sorted by product: lines of the same product are summed, so that two lines of three do not
 * pass a stock of five, and every writer takes its row locks in the same order.
 */
export function toColumns(lines: readonly StockLine[]): { productIds: string[]; quantities: number[] } {
  const sums = new Map<string, number>();
  for (const { productId, quantity } of lines) sums.set(productId, (sums.get(productId) ?? 0) + quantity);
  const productIds = [...sums.keys()].sort();
  return { productIds, quantities: productIds.map((id) => sums.get(id) as number) };
}

/** The reverse of {@link toColumns}. */
export const toLines = (productIds: readonly string[], quantities: readonly number[]): StockLine[] =>
  productIds.map((productId, index) => ({ productId, quantity: quantities[index] as number }));
