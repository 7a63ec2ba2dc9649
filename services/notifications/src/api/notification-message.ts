import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Notification_Channel, Notification_Status } from '@souk/contracts/notifications/v1/notifications';
import type { Notification } from '../store/notification-repository.ts';

export const notificationMessage = (notification: Notification) => ({
  id: notification.id,
  userId: notification.user_id,
  channel: Notification_Channel[notification.channel],
  template: notification.template,
  subject: notification.subject,
  body: notification.body,
  status: Notification_Status[notification.status],
  createdAt: timestampFromDate(notification.created_at),
  ...(notification.sent_at && { sentAt: timestampFromDate(notification.sent_at) }),
});
