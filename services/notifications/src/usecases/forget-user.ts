import type { UserDeleted } from '@souk/contracts/users/v1/events';
import type { Context } from '@souk/kernel';
import type { Delivery } from '@souk/messaging';
import { eraseUser } from '../store/notification-repository.ts';

export const forgetUser = () => async (_ctx: Context, event: UserDeleted, delivery: Delivery) => {
  await delivery.once((tx) => eraseUser(tx, event.userId));
};
