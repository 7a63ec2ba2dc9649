import type { NotifyRequest } from '@souk/contracts/notifications/v1/notifications';
import type { Context } from '@souk/kernel';
import type { NotificationsDeps } from '../deps.ts';
import { findByDedupKey } from '../store/notification-repository.ts';
import { compose, findContact } from './compose.ts';

/** Tells a user something, once per key. Somebody who is gone is told nothing. */
export const notify = (deps: NotificationsDeps) => async (ctx: Context, request: NotifyRequest) => {
  const { userId, template, data, dedupKey } = request;
  const contact = await findContact(ctx, deps, userId);
  if (contact === undefined) return { notificationIds: [] };
  const sql = deps.db.at(ctx);
  const made = await compose(sql, deps, contact, { userId, template, data, dedupKey });
  const all = made.length > 0 ? made : await findByDedupKey(sql, dedupKey);
  if (made.length > 0) deps.count('notification_made');
  return { notificationIds: all.map(({ id }) => id) };
};
