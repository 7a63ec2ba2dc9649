import type { Settings } from '@souk/config';
import { UserService } from '@souk/contracts/users/v1/users';
import type { Deps } from '@souk/service';
import type { Channels } from './channels.ts';
import type { notificationsSettings } from './config.ts';

/** Who knows how people are reached. */
export const calls = { users: UserService } as const;

export type NotificationsDeps = Deps<
  typeof calls,
  Settings<typeof notificationsSettings>,
  { readonly channels: Channels }
>;
