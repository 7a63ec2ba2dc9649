import { hasReason } from '@souk/kernel';
import { catalogErrors } from '../errors.ts';

/** @throws CATALOG_SKU_TAKEN when `write` breaks the rule that no two products have the same number */
export async function refuseTakenSku<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (hasReason(error, 'STORE_UNIQUE_VIOLATION')) throw catalogErrors.SKU_TAKEN({}, { cause: error });
    throw error;
  }
}
