import type { Settings } from '@souk/config';
import type { Deps } from '@souk/service';
import type { shippingSettings } from './config.ts';

/** Shipping asks nobody. */
export const calls = {} as const;

export type ShippingDeps = Deps<typeof calls, Settings<typeof shippingSettings>>;
