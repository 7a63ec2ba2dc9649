import type { Settings } from '@souk/config';
import type { Deps } from '@souk/service';
import type { usersSettings } from './config.ts';
import type { UsersParts } from './parts.ts';

/** Users asks nobody. */
export const calls = {} as const;

export type UsersSettings = Settings<typeof usersSettings>;

export type UsersDeps = Deps<typeof calls, UsersSettings, UsersParts>;
