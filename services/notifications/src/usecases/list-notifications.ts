import type { ListMailboxRequest, ListNotificationsRequest } from '@souk/contracts/notifications/v1/notifications';
import type { Context } from '@souk/kernel';
import { decodePageToken, encodePageToken, pageSize } from '@souk/service';
import { notificationMessage } from '../api/notification-message.ts';
import type { NotificationsDeps } from '../deps.ts';
import { listNotifications as query } from '../store/notification-repository.ts';

/** What a user was told, newest first. */
export const listNotifications =
  (deps: NotificationsDeps) => async (ctx: Context, request: ListNotificationsRequest) => {
    const { found, nextPageToken } = await page(deps, ctx, request);
    return { notifications: found.map(notificationMessage), nextPageToken };
  };

/** The same with recipients, of everybody or of one user: the mailbox that stands in for mail servers and phones. */
export const listMailbox = (deps: NotificationsDeps) => async (ctx: Context, request: ListMailboxRequest) => {
  const { found, nextPageToken } = await page(deps, ctx, request);
  const messages = found.map((one) => ({ notification: notificationMessage(one), recipient: one.recipient }));
  return { messages, nextPageToken };
};

async function page(
  deps: NotificationsDeps,
  ctx: Context,
  request: { userId: string; pageSize: number; pageToken: string },
) {
  const list = `notifications of ${request.userId}`;
  const limit = pageSize(request.pageSize);
  const before = decodePageToken(request.pageToken, list, 1)?.[0];
  const rows = await query(deps.db.at(ctx), { userId: request.userId || undefined, before, limit: limit + 1 });
  const found = rows.slice(0, limit);
  const last = found.at(-1);
  return { found, nextPageToken: rows.length > limit && last ? encodePageToken(list, [last.id]) : '' };
}
