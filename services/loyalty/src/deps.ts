import type { Settings } from '@souk/config';
import type { Deps } from '@souk/service';
import type { loyaltySettings } from './config.ts';

/** Loyalty asks nobody. */
export const calls = {} as const;

export type LoyaltyDeps = Deps<typeof calls, Settings<typeof loyaltySettings>>;
