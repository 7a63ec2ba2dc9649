import type { Settings } from '@souk/config';
import type { Deps } from '@souk/service';
import type { inventorySettings } from './config.ts';

/** Inventory asks nobody. */
export const calls = {} as const;

export type InventoryDeps = Deps<typeof calls, Settings<typeof inventorySettings>>;
