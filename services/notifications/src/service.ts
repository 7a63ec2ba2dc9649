import { NotificationService } from '@souk/contracts/notifications/v1/notifications';
import {
  type OrderCancelled,
  OrderCancelledSchema,
  type OrderRejected,
  OrderRejectedSchema,
  type OrderShipped,
  OrderShippedSchema,
} from '@souk/contracts/orders/v1/events';
import { UserDeletedSchema, type UserRegistered, UserRegisteredSchema } from '@souk/contracts/users/v1/events';
import { on } from '@souk/messaging';
import { defineService } from '@souk/service';
import type { Channels } from './channels.ts';
import { notificationsSettings } from './config.ts';
import { calls } from './deps.ts';
import { notificationsMigrations } from './store/migrations.ts';
import { deliverDue } from './usecases/deliver-due.ts';
import { forgetUser } from './usecases/forget-user.ts';
import { listMailbox, listNotifications } from './usecases/list-notifications.ts';
import { notify } from './usecases/notify.ts';
import { getPreferences, updatePreferences } from './usecases/preferences.ts';
import { sendNotification } from './usecases/send-notification.ts';
import { tell } from './usecases/tell.ts';

/**
 * Tells people what happens, by the channels they want.
 *
 * @param channels How messages leave the house. A channel that is left out delivers to the built-in mailbox.
 */
export const notifications = (channels: Channels = {}) =>
  defineService({
    name: 'notifications',
    serves: [NotificationService],
    calls,
    consumes: [
      on(
        UserRegisteredSchema,
        tell('welcome', ({ userId }: UserRegistered) => ({ userId, about: userId })),
      ),
      on(
        OrderRejectedSchema,
        tell('order-rejected', ({ userId, orderId, reason }: OrderRejected) => ({
          userId,
          about: orderId,
          data: { orderId, reason },
        })),
      ),
      on(
        OrderCancelledSchema,
        tell('order-cancelled', ({ userId, orderId, total }: OrderCancelled) => ({
          userId,
          about: orderId,
          data: { orderId, currency: total?.currency ?? '', minorUnits: String(total?.minorUnits ?? 0n) },
        })),
      ),
      on(
        OrderShippedSchema,
        tell('order-shipped', ({ userId, orderId }: OrderShipped) => ({ userId, about: orderId, data: { orderId } })),
      ),
      on(UserDeletedSchema, forgetUser),
    ],
    settings: notificationsSettings,
    migrations: notificationsMigrations,
    parts: () => ({ channels }),
    start: (deps) => {
      if (Object.keys(channels).length > 0) {
        deps.schedule({ name: 'deliver', everyMs: deps.settings.deliverEvery, run: deliverDue(deps) });
      }
      return {
        listNotifications: listNotifications(deps),
        sendNotification: sendNotification(deps),
        getPreferences: getPreferences(deps),
        updatePreferences: updatePreferences(deps),
        listMailbox: listMailbox(deps),
        notify: notify(deps),
      };
    },
  });
