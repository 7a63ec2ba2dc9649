import { Notification_Channel, type SendNotificationRequest } from '@souk/contracts/notifications/v1/notifications';
import type { Context } from '@souk/kernel';
import { notificationMessage } from '../api/notification-message.ts';
import type { ChannelName } from '../channels.ts';
import type { NotificationsDeps } from '../deps.ts';
import { notificationErrors } from '../errors.ts';
import { compose, findContact } from './compose.ts';

/** An administrator writes to a user. */
export const sendNotification = (deps: NotificationsDeps) => async (ctx: Context, request: SendNotificationRequest) => {
  const { userId, template, data, subject, body } = request;
  if (template === '' && (subject === '' || body === '')) throw notificationErrors.NOTHING_TO_SAY();
  const contact = await findContact(ctx, deps, userId);
  if (contact === undefined) throw notificationErrors.USER_UNKNOWN({ userId });
  const channel = Notification_Channel[request.channel || Notification_Channel.EMAIL] as ChannelName;
  const [made] = await compose(deps.db.at(ctx), deps, contact, {
    userId,
    template,
    data,
    ...(template === '' && { text: { subject, body } }),
    channel,
    dedupKey: deps.runtime.ids.uuid(),
  });
  if (made === undefined) throw notificationErrors.NOT_REACHABLE({ channel });
  return notificationMessage(made);
};
