import type { Settings } from '@souk/config';
import type { Deps } from '@souk/service';
import type { catalogSettings } from './config.ts';

/** Catalog asks nobody. */
export const calls = {} as const;

export type CatalogDeps = Deps<typeof calls, Settings<typeof catalogSettings>>;
